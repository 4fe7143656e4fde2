"""The online migration that numbers records from before accounts had logs, account by account."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from app.services.maintenance.duties import Duty
from app.services.maintenance.duty_rows import TURN_SECONDS, DutyRows, Pace
from app.services.maintenance.ports import Numbers

BATCH: Final = 1000
_EVERY_SECONDS: Final = 300.0


class Numbering:
    """The duty that numbers. It may die anywhere: each batch notes its account in its own transaction."""

    def __init__(self, numbers: Numbers, pace: Pace) -> None:
        self._numbers = numbers
        self._pace = pace
        self._rows = DutyRows("numbering records", monotonic=pace.monotonic)
        self._has_left_some = False
        self._came_to: str | None = None

    def build_duties(self) -> Sequence[Duty]:
        """Return the duty."""
        return [Duty(name="numbering records", do=self.run_turn, every_seconds=_EVERY_SECONDS)]

    def run_turn(self) -> bool:
        """Number for a while; return whether there is more to do at once."""
        place = self._numbers.place()
        if place is None:
            return False
        if place.account_id is None:
            self._has_left_some = False
        elif place.account_id != self._came_to:
            # Another leader has come so far, and may have left some out: all accounts are gone over once more.
            self._has_left_some = True
        account = place.account_id or self._numbers.find_next_account(None)
        until = self._pace.monotonic() + TURN_SECONDS
        while account is not None and self._pace.monotonic() < until:
            account = account if self._has_more(account) else self._numbers.find_next_account(account)
        if account is None:
            self._end_pass()
        return account is not None

    def _has_more(self, account_id: str) -> bool:
        batch = partial(self._numbers.number_some, account_id, limit=BATCH)
        count = self._rows.handle(account_id, partial(self._pace.take, batch))
        self._has_left_some = self._has_left_some or count is None
        self._came_to = self._came_to if count is None else account_id
        return count is not None and count >= BATCH

    def _end_pass(self) -> None:
        if self._has_left_some:
            self._has_left_some = False
            self._numbers.begin_anew()
        else:
            self._numbers.finish()
