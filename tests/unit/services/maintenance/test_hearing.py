"""When a daemon counts as deaf: the broker took its calls, and they never came."""

from app.services.maintenance.liveness import ConsumerLiveness


class Time:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def consumer_liveness(time: Time) -> ConsumerLiveness:
    return ConsumerLiveness(deaf_seconds=60, monotonic=time)


def test_daemon_is_deaf_once_its_calls_are_unanswered_for_long() -> None:
    time = Time()
    daemon = consumer_liveness(time)

    deaf = []
    for _ in range(8):
        daemon.note_called(was_taken=True)
        time.now += 10
        deaf.append(daemon.is_stalled)

    assert deaf == [False] * 5 + [True] * 3


def test_daemon_that_hears_is_not_deaf_and_tells_since_when() -> None:
    time = Time()
    daemon = consumer_liveness(time)
    assert daemon.silent_seconds is None

    for _ in range(20):
        daemon.note_called(was_taken=True)
        time.now += 10
        daemon.note_heard()
    time.now += 3

    assert not daemon.is_stalled
    assert daemon.silent_seconds == 3


def test_broker_that_is_away_makes_nobody_deaf() -> None:
    time = Time()
    daemon = consumer_liveness(time)
    daemon.note_called(was_taken=True)

    for _ in range(20):
        time.now += 10
        daemon.note_called(was_taken=False)
    assert not daemon.is_stalled
    daemon.note_called(was_taken=True)
    time.now += 59

    assert not daemon.is_stalled
