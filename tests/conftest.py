"""What every test may ask for, and when a test can not run here."""

import functools
import gc
import warnings

import pytest

from tests.support.patience import WaitFor
from tests.support.patience import wait_for as patiently


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs containers, with the reason, where no engine runs them."""
    if item.get_closest_marker("docker") and (reason := _missing_engine()):
        pytest.skip(reason)


@pytest.fixture(scope="session")
def wait_for() -> WaitFor:
    """Wait until something is there; fail when it takes too long."""
    return patiently


@functools.cache
def _missing_engine() -> str | None:
    import docker
    from docker.errors import DockerException

    with warnings.catch_warnings():
        # A client that found no engine leaves its socket to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            docker.from_env(timeout=5).ping()
        except DockerException as error:
            return f"no Docker engine answers here: {error}"
        finally:
            gc.collect()
    return None
