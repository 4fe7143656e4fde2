import logging

import pytest

from app.engine.limits.constants import SLOW_ANSWER_SECONDS
from app.engine.record_errors import SourceError
from app.sources.limiter.warnings import ThrottledWarnings


class Clock:
    """A time that passes when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttled_warnings(clock: Clock) -> ThrottledWarnings:
    return ThrottledWarnings("a-1", clock)


def facts(caplog: pytest.LogCaptureFixture, *names: str) -> list[tuple[object, ...]]:
    return [(record.message, *(getattr(record, name) for name in names)) for record in caplog.records]


def test_fault_is_told_with_account_and_endpoint(
    throttled_warnings: ThrottledWarnings, caplog: pytest.LogCaptureFixture
) -> None:
    throttled_warnings.failed("tickets.list", SourceError("http_500", "the upstream answered 500"), 0.25)

    told = ("an upstream failed: trying again", "a-1", "tickets.list", "http_500", 0.2, 1)
    assert facts(caplog, "account_id", "endpoint", "code", "wait_seconds", "times") == [told]
    assert caplog.records[0].levelno == logging.WARNING


def test_refusal_is_told_with_the_wait(throttled_warnings: ThrottledWarnings, caplog: pytest.LogCaptureFixture) -> None:
    throttled_warnings.refused("tickets.list", 429, None)

    assert facts(caplog, "status", "wait_seconds") == [("an upstream asks to wait", 429, None)]


def test_answer_is_told_when_it_is_slow(
    throttled_warnings: ThrottledWarnings, caplog: pytest.LogCaptureFixture
) -> None:
    throttled_warnings.answered("tickets.list", SLOW_ANSWER_SECONDS - 0.1)
    throttled_warnings.answered("tickets.list", SLOW_ANSWER_SECONDS)

    assert facts(caplog, "seconds") == [("an upstream answers slowly", SLOW_ANSWER_SECONDS)]


def test_each_kind_is_told_once_in_half_a_minute_with_how_often(
    throttled_warnings: ThrottledWarnings, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for second in (0.0, 1.0, 2.0, 31.0, 62.0):
        clock.now = second
        throttled_warnings.refused("tickets.list", 429, 1.0)
    throttled_warnings.answered("tickets.list", 9.0)

    assert facts(caplog, "times") == [
        *(("an upstream asks to wait", times) for times in (1, 3, 1)),
        ("an upstream answers slowly", 1),
    ]
