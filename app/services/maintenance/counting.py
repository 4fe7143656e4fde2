"""The duty that counts the records of accounts that have many, for the pages that show how many there are."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from app.services.maintenance.duties import Duty
from app.services.maintenance.duty_rows import TURN_SECONDS, DutyRows, Pace

COUNTED_AT_ONCE: Final = 1000
"""So many records of a resource are counted whenever somebody asks: the duty is for accounts that may have more."""
RECOUNT_SECONDS: Final = 300.0
"""An account whose log goes on is counted anew after this time, and later where a count takes long."""
_EVERY_SECONDS: Final = 15.0
_LIMIT: Final = 20


class Counting:
    """The duty that counts. It may die anywhere: what is not counted is counted by the next one."""

    def __init__(self, *, find_due: Callable[..., Sequence[str]], count: Callable[[str], object], pace: Pace) -> None:
        """``find_due`` lists accounts whose records are to be counted; ``count`` counts one's, twice with no harm."""
        self._find_due = find_due
        self._count = count
        self._pace = pace
        self._rows = DutyRows("counting records", monotonic=pace.monotonic)

    def build_duties(self) -> Sequence[Duty]:
        """Return the duty."""
        return [Duty(name="counting records", do=self.run_turn, every_seconds=_EVERY_SECONDS)]

    def run_turn(self) -> bool:
        """Count for a while; return whether there is more to do at once."""
        due = list(
            self._find_due(
                most_small=COUNTED_AT_ONCE,
                every_seconds=RECOUNT_SECONDS,
                skipped=self._rows.list_skipped(),
                limit=_LIMIT,
            )
        )
        is_full, until = len(due) == _LIMIT, self._pace.monotonic() + TURN_SECONDS
        while due and self._pace.monotonic() < until:
            account_id = due.pop(0)
            self._rows.handle(account_id, partial(self._pace.take, partial(self._count, account_id)))
        return bool(due) or is_full
