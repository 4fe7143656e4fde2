import pytest

from app.stack.supervisor import backoff_seconds


@pytest.mark.parametrize(
    ("restarts", "seconds"), [(0, 0.5), (1, 1.0), (2, 2.0), (5, 16.0), (6, 30.0), (10_000, 30.0)], ids=str
)
def test_backoff_doubles_up_to_half_a_minute(restarts: int, seconds: float) -> None:
    assert backoff_seconds(restarts) == seconds
