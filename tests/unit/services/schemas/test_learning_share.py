"""How much of the time learning takes."""

import pytest

from app.services.schemas.shares import LARGE, SMALL, Share


class Hands:
    """A clock that batches and rests move on."""

    def __init__(self) -> None:
        self.now = 0.0
        self.rested = 0.0

    def rest(self, seconds: float) -> None:
        self.now += seconds
        self.rested += seconds


@pytest.mark.parametrize(("is_small", "share"), [(True, SMALL), (False, LARGE)])
def test_rest_follows_from_the_share(is_small: bool, share: float) -> None:
    hands = Hands()
    subject = Share(monotonic=lambda: hands.now, pause=hands.rest)
    subject.is_small = is_small

    def work() -> None:
        hands.now += 0.01

    for _ in range(10):
        subject.take(work)

    assert 0.1 / hands.now == pytest.approx(share)


def test_batch_grows_to_what_its_time_allows_and_shrinks_at_once() -> None:
    hands = Hands()
    subject = Share(monotonic=lambda: hands.now, pause=hands.rest)
    subject.is_small = False

    def read(rows: int, seconds_per_row: float) -> int:
        hands.now += rows * seconds_per_row
        return rows

    first = subject.batch
    subject.read(lambda rows: read(rows, 1e-6), count=int)
    assert subject.batch == 2 * first
    subject.read(lambda rows: read(rows, 0.01), count=int)
    assert subject.batch == 20


def test_what_a_batch_costs_beside_its_rows_makes_none_smaller() -> None:
    hands = Hands()
    subject = Share(monotonic=lambda: hands.now, pause=hands.rest)

    def work() -> None:
        def read(rows: int) -> int:
            hands.now += rows * 1e-5
            return rows

        subject.read(read, count=int)
        hands.now += 0.5

    for _ in range(9):
        subject.take(work)

    assert subject.batch >= 4990


def test_batch_that_fails_rests_too() -> None:
    hands = Hands()
    subject = Share(monotonic=lambda: hands.now, pause=hands.rest)

    def fail() -> None:
        hands.now += 0.01
        raise ValueError

    with pytest.raises(ValueError):
        subject.take(fail)

    assert hands.rested == pytest.approx(0.01 * (1 / SMALL - 1))
