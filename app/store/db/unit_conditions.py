"""The conditions of units that many statements share."""

from typing import Final

from app.engine.status import UnitStatus
from app.store.tables.statuses import origins

IS_HELD: Final = f"id = :unit_id and fencing_token = :fencing_token and status = '{UnitStatus.LEASED}'"
"""A claim still has its unit: nobody else has claimed it since, and it has not ended."""


def is_due(unit: str = "unit") -> str:
    """Return the condition that a unit is ready, and that its timer is over."""
    return f"""
        {unit}.status in {origins(UnitStatus.LEASED, UnitStatus.READY)}
        and ({unit}.wake_at is null or {unit}.wake_at <= now())
    """


def is_free(unit: str = "unit") -> str:
    """Return the condition that a unit can be claimed now; one whose worker is gone can be as well."""
    return f"""
        ({is_due(unit)}
         or {unit}.status in {origins(UnitStatus.LEASED, UnitStatus.LEASED)} and {unit}.lease_expires_at < now())
    """
