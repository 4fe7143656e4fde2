"""Find whether anything is due, by one statement on partial indexes: cheap however many runs have ended."""

from typing import Final

from sqlalchemy import text

from app.services.maintenance.duties import DueWork
from app.store.announcements.announcements import DUE_ANNOUNCEMENTS
from app.store.db.leadership import Leadership
from app.store.runs.landing import LANDING_RUNS
from app.store.runs.runs import DUE_RUNS, UNSETTLED_RUNS
from app.store.schedules.triggers import DUE_TRIGGERS
from app.store.units.dispatching import EXPIRED_UNITS, PARKED_UNITS, UNANSWERED_UNITS

_PROMPT: Final = f"""
    exists(select from outbox where created_at < now() - make_interval(secs => :publish_after)) as messages,
    exists({PARKED_UNITS}) or exists({EXPIRED_UNITS}) as units,
    exists({LANDING_RUNS}) as landing, exists({DUE_TRIGGERS}) as triggers, exists({DUE_ANNOUNCEMENTS}) as announcements
"""

_LOOK: Final = text(f"select {_PROMPT}, false as runs, false as unsettled")

_LOOK_THOROUGHLY: Final = text(f"""
    select messages, landing, triggers, announcements,
           units or exists({UNANSWERED_UNITS}) as units, exists({DUE_RUNS}) as runs,
           exists({UNSETTLED_RUNS}) as unsettled
      from (select {_PROMPT}) prompt
""")


class DueWorkReader:
    """Reads by the leader's own session, so that one statement finds work and keeps the lead."""

    def __init__(self, leadership: Leadership, *, publish_after_seconds: float, ring_after_seconds: float) -> None:
        self._leadership = leadership
        self._seconds = {"publish_after": publish_after_seconds, "ring_after": ring_after_seconds}

    def find_due_work(self, *, is_thorough: bool) -> DueWork:
        """Return which duties have work; timers, leases and promised messages always, lost ones when thorough."""
        found = self._leadership.read_row(_LOOK_THOROUGHLY if is_thorough else _LOOK, self._seconds)
        return DueWork(
            messages=found.messages,
            units=found.units,
            runs=found.runs,
            unsettled=found.unsettled,
            landing=found.landing,
            triggers=found.triggers,
            announcements=found.announcements,
        )
