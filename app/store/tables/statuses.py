"""Statuses as SQL: which a column may hold, and from which a row may move, as app/engine/status.py has them."""

from collections.abc import Collection
from enum import StrEnum
from typing import Final

from sqlalchemy import CheckConstraint

from app.engine.status import Status, UnitStatus, allowed_origins

IS_HELD: Final = f"id = :unit_id and fencing_token = :fencing_token and status = '{UnitStatus.LEASED}'"
"""A claim still has its unit: nobody else has claimed it since, and it has not ended."""


def any_of(statuses: Collection[StrEnum]) -> str:
    """Return the list of statuses that SQL's ``in`` takes, in the order of their declaration."""
    (kind,) = {type(status) for status in statuses}
    quoted = ", ".join(f"'{status}'" for status in kind if status in statuses)
    return f"({quoted})"


def origins(target: Status, *chosen: Status) -> str:
    """Return the list of statuses from which a row may move to ``target``, for SQL's ``in``: all of them, or some.

    Raise ValueError for one from which it may not.
    """
    allowed = allowed_origins(target)
    if refused := [status for status in chosen if status not in allowed]:
        raise ValueError(f"no move from {', '.join(refused)} to {target}")
    return any_of(chosen or allowed)


def known_statuses(kind: type[StrEnum], name: str) -> CheckConstraint:
    """Return the constraint that a table's ``status`` is one of a kind."""
    return CheckConstraint(f"status in {any_of(list(kind))}", name=name)


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
