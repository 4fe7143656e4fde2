"""When a unit was worked on, as SQL: ended spells are kept with its row, by the statements that change it anyway.

A unit's ``worked`` is a list of ``[from, to, end]``, in milliseconds: a stretch of work, and why it ended, which is
what the unit waited for next. Slices with less than a second between them are one spell, so most units have one. The
one under way began at ``held_since``; of a unit that has ended it lasted until ``updated_at``.
"""

from typing import Final

from app.engine.runs.spells import SpellEnd
from app.engine.status import UnitStatus

MOST_SPELLS: Final = 12
"""The newest ones of a unit that are kept."""
_PAUSE_MS: Final = 1000
_NEWEST: Final = f"case when jsonb_array_length(worked) >= {MOST_SPELLS} then worked - 0 else worked end"


def _ms(moment: str) -> str:
    return f"floor(extract(epoch from {moment}) * 1000)::bigint"


def _keep(end: str, until: str) -> str:
    spell = f"jsonb_build_array({_ms('held_since')}, {_ms(until)}, cast({end} as text))"
    return f"case when held_since is null then worked else ({_NEWEST}) || jsonb_build_array({spell}) end"


def end_spell(end: str, until: str = "now()") -> str:
    """Return the assignments that end a unit's spell, if it has one; ``end`` is SQL for a text."""
    return f"worked = {_keep(end, until)}, held_since = null"


_GOES_ON: Final = f"held_since is null and (worked -> -1 ->> 1)::bigint > {_ms('now()')} - {_PAUSE_MS}"

BEGIN_SPELL: Final = f"""
           held_since = case when {_GOES_ON} then to_timestamp((worked -> -1 ->> 0)::float8 / 1000) else now() end,
           worked = case when {_GOES_ON} then worked - -1
                         when status = '{UnitStatus.LEASED}' then {_keep(f"'{SpellEnd.LOST}'", "updated_at")}
                         else worked end
"""
"""The assignments of a claim: a worker that is gone ended its spell when it last renewed its lease."""

AWAITS_RECEIVER: Final = f"jsonb_build_array(jsonb_build_array({_ms('now()')}, {_ms('now()')}, '{SpellEnd.RECEIVER}'))"
"""What a unit begins with that waits for the receiver to accept its run: no work, and why."""
