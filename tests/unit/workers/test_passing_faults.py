import pytest
from kombu.exceptions import OperationalError

from app.engine.errors import StoreUnavailableError
from workers import signals


@pytest.mark.parametrize("error", [StoreUnavailableError(), OperationalError("no broker")], ids=["postgres", "broker"])
def test_server_that_is_away_is_no_error_of_the_run(error: Exception) -> None:
    """A broker that went away after a task's work kept its chain from going on, which the sweeper does as well."""
    assert signals.is_passing(error)


@pytest.mark.parametrize("error", [ValueError(), KeyError("resource")], ids=["value", "key"])
def test_fault_of_the_code_is_an_error_of_the_run(error: Exception) -> None:
    assert not signals.is_passing(error)
