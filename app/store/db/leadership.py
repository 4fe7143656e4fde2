"""Elect one leader among all daemons: the one whose session holds a Postgres advisory lock.

A second lock marks the standby, which alone tries to take the lead every few seconds. All others try to become the
standby, the more rarely the more there are, so that the cost does not grow with the number of daemons.
"""

import time
from collections.abc import Callable, Mapping
from typing import Final

from sqlalchemy import Connection, Engine, Row, TextClause, text

from app.engine.errors import StoreUnavailableError
from app.engine.json_types import JSON
from app.engine.limits.retry import draw_chance
from app.engine.status import DaemonStatus
from app.store.db.connections import LONGEST_IDLE

# Any constants that nothing else in this database uses.
LOCKS: Final = {"lead": 7_208_113_402, "seat": 7_208_113_403}
"""The advisory locks."""

# A session that has not kept what was asked of it is a pooler's: it would give the lock away with the session.
_STAND_BY: Final = text(f"""
    select case when current_setting('idle_in_transaction_session_timeout') = :kept
                then pg_try_advisory_lock(:seat) end as stands_by,
           (select count(*) from daemon where status = '{DaemonStatus.ACTIVE}') as daemons
""")

# A daemon that gets the lead frees the place of the standby.
_LEAD: Final = text("select case when pg_try_advisory_lock(:lead) then pg_advisory_unlock(:seat) else false end")

# A leader that is frozen would keep its session, and with it the lock, for ever.
_END_WHEN_SILENT: Final = text("select set_config('idle_session_timeout', :milliseconds, false)")

_NO_SESSION: Final = (
    "a pooler between drops what is asked of a session: the leader's lock needs one of its own, so set "
    "FERRYMAN_SESSION_DATABASE_URL to the URL of Postgres itself (docs/scaling.md)"
)

_STAND_BY_SECONDS: Final = 3.0
"""How often the standby tries to take the lead: how long the lead is vacant at most."""
_ASKS_PER_SECOND: Final = 0.2
"""How often all others together try to become the standby."""


class Leadership:
    """One daemon's part in the election; Postgres frees the lock at once when its session ends, however it ends.

    Postgres ends the session of a leader that sent no query for ``silence_seconds``. A sweep that takes
    longer costs the lead, which does no harm.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        silence_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = draw_chance,
    ) -> None:
        self._engine = engine
        self._silence_seconds = silence_seconds
        self._monotonic = monotonic
        self._chance = chance
        self._connection: Connection | None = None
        self._leads = False
        self._next_try = 0.0

    @property
    def was_held(self) -> bool:
        """Whether this daemon led when it last looked."""
        return self._leads

    def is_held(self) -> bool:
        """Whether this daemon leads; it tries to take the lead when that is due. ``read_row`` detects a lost lead."""
        if self._leads or self._monotonic() < self._next_try:
            return self._leads
        try:
            if self._connection is not None or self._takes_second_place():
                self._leads = self._takes_lead()
        except StoreUnavailableError:
            self.resign()
            self._wait(_STAND_BY_SECONDS * self._chance())
            raise
        return self._leads

    def read_row(self, question: TextClause, parameters: Mapping[str, JSON]) -> Row[tuple[object, ...]]:
        """Read one row by the session that holds the lead, which keeps the lead; raise StoreUnavailableError."""
        if self._connection is None:
            raise StoreUnavailableError("this daemon does not lead")
        try:
            return self._connection.execute(question, parameters).one()
        except StoreUnavailableError:
            self.resign()
            raise

    def resign(self) -> None:
        """Release the lead, and the place of the standby."""
        self._leads = False
        connection, self._connection = self._connection, None
        if connection is not None:
            # Closing the session, not returning it to the pool, is what frees the locks.
            connection.invalidate()
            connection.close()

    def _takes_second_place(self) -> bool:
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        self._connection = connection
        found = connection.execute(_STAND_BY, {"seat": LOCKS["seat"], "kept": LONGEST_IDLE}).one()
        if found.stands_by is None:
            raise StoreUnavailableError(_NO_SESSION)
        if found.stands_by:
            connection.execute(_END_WHEN_SILENT, {"milliseconds": f"{self._silence_seconds * 1000:.0f}"})
            return True
        self._connection = None
        connection.close()
        others = max(1, found.daemons - 2)
        self._wait(max(_STAND_BY_SECONDS, others / _ASKS_PER_SECOND) * (0.5 + self._chance()))
        return False

    def _takes_lead(self) -> bool:
        if self._connection is not None and self._connection.execute(_LEAD, LOCKS).scalar_one():
            return True
        self._wait(_STAND_BY_SECONDS)
        return False

    def _wait(self, seconds: float) -> None:
        self._next_try = self._monotonic() + seconds
