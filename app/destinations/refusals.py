"""Find the records that a target can not hold, among many that were refused together."""

from collections.abc import Callable, Sequence
from typing import Final

from app.services.destinations.ports import Batch, LoggedRecord, Quarantined

MOST_AT_ONCE: Final = 100
"""So many are looked for, and noted, before the rest is tried again: what is noted is not looked for twice."""
ENCODING_FAULTS: Final = (ValueError, TypeError, ArithmeticError, RecursionError)
"""What making bytes of a record's values may raise; neither a disk nor a server has a part in it."""


def find_refused(
    batch: Batch, attempt: Callable[[Sequence[LoggedRecord]], str | None], *, most: int = MOST_AT_ONCE
) -> list[Quarantined]:
    """Halve a batch until each record that is refused stands alone; ``attempt`` returns why some are refused.

    What it raises is no fault of a record, and ends the search.
    """
    found: list[Quarantined] = []
    waiting = [batch.records]
    while waiting and len(found) < most:
        part = waiting.pop()
        reason = attempt(part) if part else None
        if reason is None:
            continue
        if len(part) == 1:
            found.append(refuse(batch.resource, part[0], reason))
            continue
        middle = len(part) // 2
        waiting += [part[middle:], part[:middle]]
    return found


def refuse(resource: str, record: LoggedRecord, reason: str) -> Quarantined:
    """Return a record as one that is left out."""
    return Quarantined(resource=resource, remote_id=record.remote_id, sequence=record.sequence, reason=reason)


def explain_encoding(error: Exception) -> str:
    """Return why a record's values can not be written at all."""
    return f"its values can not be written: {type(error).__name__}: {error}"[:400]
