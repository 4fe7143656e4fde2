"""What clears up goes on one batch at a time, rests as long as it worked, and waits for no batch that hangs."""

import threading

import pytest

from app.services.maintenance import duty_rows
from app.services.maintenance.duty_rows import Pace


def test_a_batch_is_followed_by_as_long_a_rest_up_to_a_second() -> None:
    now, rests = [0.0], list[float]()
    taking = Pace(monotonic=lambda: now[0], pause=rests.append)

    def work(seconds: float) -> str:
        now[0] += seconds
        return "done"

    assert [taking.take(lambda seconds=seconds: work(seconds)) for seconds in (0.25, 9.0)] == ["done", "done"]  # type: ignore[misc]
    assert rests == [0.25, 1.0]


def test_a_batch_that_hangs_keeps_no_other_from_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duty_rows, "_LONGEST_WAIT_SECONDS", 0.01)
    taking = Pace(pause=lambda _: None)
    begun, over = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        over.wait(60)

    hanging = threading.Thread(target=taking.take, args=(hang,))
    hanging.start()
    begun.wait(60)

    assert taking.take(lambda: "done") == "done"

    over.set()
    hanging.join(60)
    assert taking.take(lambda: "again") == "again"
