"""Old records are numbered account by account, from where the last leader came to."""

from dataclasses import dataclass, field

import pytest

from app.services.maintenance.duty_rows import Pace
from app.services.maintenance.numbering import BATCH, Numbering
from app.services.maintenance.ports import NumberingPlace


@dataclass
class FakeNumbers:
    """Accounts with so many records that have no number."""

    left: dict[str, int]
    broken: set[str] = field(default_factory=set)
    at: str | None = None
    is_finished: bool = False
    batches: list[str] = field(default_factory=list)
    seconds: float = 0.0
    now: float = 0.0

    def place(self) -> NumberingPlace | None:
        return None if self.is_finished else NumberingPlace(account_id=self.at)

    def find_next_account(self, after: str | None) -> str | None:
        return min((name for name in self.left if after is None or name > after), default=None)

    def number_some(self, account_id: str, *, limit: int) -> int:
        self.batches.append(account_id)
        self.now += self.seconds
        if account_id in self.broken:
            raise ValueError("a trigger of a user's own refuses it")
        count = min(limit, self.left[account_id])
        self.left[account_id] -= count
        self.at = account_id
        return count

    def begin_anew(self) -> None:
        self.at = None

    def finish(self) -> None:
        self.is_finished = True


def numbering(numbers: FakeNumbers) -> Numbering:
    return Numbering(numbers, Pace(monotonic=lambda: numbers.now, pause=lambda _: None))


def test_all_accounts_are_numbered_and_then_there_is_nothing_to_do() -> None:
    numbers = FakeNumbers({"a": BATCH + 1, "b": 0, "c": 3})
    (duty,) = numbering(numbers).build_duties()

    assert [duty.do(), duty.do()] == [False, False]

    assert numbers.batches == ["a", "a", "b", "c"]
    assert (numbers.is_finished, sum(numbers.left.values())) == (True, 0)


def test_next_leader_goes_on_from_where_the_last_one_came_to() -> None:
    numbers = FakeNumbers({"a": 3 * BATCH, "b": 1}, seconds=1.5)

    assert numbering(numbers).run_turn() is True
    assert numbering(numbers).run_turn() is True

    assert numbers.batches == ["a", "a", "a", "a"]
    assert not numbers.is_finished


def test_account_that_breaks_is_passed_over_and_come_back_to() -> None:
    numbers = FakeNumbers({"a": 1, "b": 1}, broken={"a"})
    duty = numbering(numbers)

    assert duty.run_turn() is False
    assert (numbers.left, numbers.is_finished, numbers.at) == ({"a": 1, "b": 0}, False, None)
    numbers.broken.clear()
    assert duty.run_turn() is False

    assert (numbers.left, numbers.is_finished) == ({"a": 0, "b": 0}, True)


def test_account_that_a_leader_has_left_is_come_back_to_by_the_next_one() -> None:
    numbers = FakeNumbers({"a": 1, "b": BATCH, "c": 1}, broken={"a"}, seconds=1.5)
    assert numbering(numbers).run_turn() is True
    numbers.broken.clear()
    successor = numbering(numbers)

    while successor.run_turn() or not numbers.is_finished:
        assert len(numbers.batches) < 20

    assert numbers.left == {"a": 0, "b": 0, "c": 0}


@pytest.mark.parametrize("numbers", [FakeNumbers({}), FakeNumbers({"a": 1}, is_finished=True)], ids=["none", "done"])
def test_nothing_is_done_where_nothing_is_to_do(numbers: FakeNumbers) -> None:
    assert numbering(numbers).run_turn() is False

    assert (numbers.batches, numbers.is_finished) == ([], True)
