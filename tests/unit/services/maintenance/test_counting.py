"""The duty that counts records: each due account once, and one that can not be counted delays no other."""

from collections.abc import Sequence

from app.services.maintenance.counting import Counting
from app.services.maintenance.duty_rows import Pace


class Counts:
    """Accounts that are due until they are counted."""

    def __init__(self, *due: str, broken: str = "") -> None:
        self.due = list(due)
        self.broken = broken
        self.counted: list[str] = []

    def find_due(self, *, most_small: int, every_seconds: float, skipped: Sequence[str], limit: int) -> Sequence[str]:
        return [one for one in self.due if one not in skipped][:limit]

    def count(self, account_id: str) -> None:
        if account_id == self.broken:
            raise ValueError(account_id)
        self.due.remove(account_id)
        self.counted.append(account_id)


def duty(counts: Counts, *, seconds_of_each: float = 0.0) -> Counting:
    clock = [0.0]

    def rest(_: float) -> None:
        clock[0] += seconds_of_each

    return Counting(find_due=counts.find_due, count=counts.count, pace=Pace(monotonic=lambda: clock[0], pause=rest))


def test_counts_each_account_that_is_due_past_one_that_breaks() -> None:
    counts = Counts("a", "b", "c", broken="b")
    [turn] = duty(counts).build_duties()

    has_more = turn.do()

    assert (has_more, counts.counted) == (False, ["a", "c"])


def test_turn_ends_after_a_while_and_says_that_there_is_more() -> None:
    slow, many = Counts("a", "b", "c", "d"), Counts(*map(str, range(30)))

    slowly, fast = duty(slow, seconds_of_each=1.5).run_turn(), duty(many).run_turn()

    assert (slowly, slow.counted, fast, len(many.counted)) == (True, ["a", "b"], True, 20)
