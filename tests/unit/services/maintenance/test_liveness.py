"""When a daemon counts as stalled: the broker took its calls, and they never came."""

from app.services.maintenance.liveness import ConsumerLiveness


class Time:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def consumer_liveness(time: Time) -> ConsumerLiveness:
    return ConsumerLiveness(stalled_seconds=60, monotonic=time)


def test_daemon_is_stalled_once_its_calls_are_unanswered_for_long() -> None:
    time = Time()
    daemon = consumer_liveness(time)

    stalled = []
    for _ in range(8):
        daemon.record_call(was_taken=True)
        time.now += 10
        stalled.append(daemon.is_stalled)

    assert stalled == [False] * 5 + [True] * 3


def test_daemon_that_takes_messages_is_not_stalled_and_shows_since_when() -> None:
    time = Time()
    daemon = consumer_liveness(time)
    assert daemon.silent_seconds is None

    for _ in range(20):
        daemon.record_call(was_taken=True)
        time.now += 10
        daemon.record_message()
    time.now += 3

    assert not daemon.is_stalled
    assert daemon.silent_seconds == 3


def test_broker_that_is_away_makes_nobody_stalled() -> None:
    time = Time()
    daemon = consumer_liveness(time)
    daemon.record_call(was_taken=True)

    for _ in range(20):
        time.now += 10
        daemon.record_call(was_taken=False)
    assert not daemon.is_stalled
    daemon.record_call(was_taken=True)
    time.now += 59

    assert not daemon.is_stalled
