"""Statuses as SQL: which a column may hold, and from which a row may move, as app/engine/status.py has them."""

from collections.abc import Collection
from enum import StrEnum

from sqlalchemy import CheckConstraint

from app.engine.status import Status, allowed_origins


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
