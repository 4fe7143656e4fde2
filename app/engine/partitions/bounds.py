"""The bounds of a part, as whole numbers of the unit that an API compares, and as they are written in requests."""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from app.engine.json_types import JSON

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_SECONDS: Final = 86400
_WHOLE: Final = re.compile(r"-?[0-9]{1,18}", re.ASCII)
# What a datetime can hold, and no year of fewer than four digits.
_EARLIEST_SECONDS: Final = -900 * 365 * 86400.0
_LATEST_SECONDS: Final = 8000 * 365 * 86400.0


class BoundFormat(StrEnum):
    """How requests write a bound."""

    ISO = "iso"
    """``2024-05-01T00:00:00Z``, in whole seconds."""
    DATE = "date"
    """``2024-05-01``."""
    EPOCH = "epoch"
    """Seconds since 1970."""
    EPOCH_DAY = "epoch_day"
    """Seconds since 1970 at which a day begins, in UTC: for an API that compares days, although it takes seconds."""
    EPOCH_MS = "epoch_ms"
    """Milliseconds since 1970."""
    NUMBER = "number"
    """An integer, such as an id."""


_UNITS: Final[Mapping[BoundFormat, float]] = {
    BoundFormat.ISO: 1.0,
    BoundFormat.DATE: _DAY_SECONDS,
    BoundFormat.EPOCH: 1.0,
    BoundFormat.EPOCH_DAY: _DAY_SECONDS,
    BoundFormat.EPOCH_MS: 0.001,
}
"""The seconds of the unit that each format of a time counts."""
_WRITTEN: Final[Mapping[BoundFormat, int]] = {BoundFormat.EPOCH_DAY: _DAY_SECONDS}
"""What one unit is as a number, where that is not one."""


def parse_bound(value: JSON, form: BoundFormat) -> int | None:
    """Read a bound in its unit, rounded down; None for what is none."""
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        value = int(value)
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return math.floor(value / _WRITTEN.get(form, 1)) if form not in (BoundFormat.ISO, BoundFormat.DATE) else None
    if not isinstance(value, str) or form is BoundFormat.NUMBER:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return count_units(moment if moment.tzinfo else moment.replace(tzinfo=UTC), form)


def count_units(moment: datetime, form: BoundFormat) -> int:
    """Return a time in the unit of its format, rounded down; 0 of numbers, which know no time."""
    if form is BoundFormat.NUMBER:
        return 0
    return math.floor((moment - _EPOCH).total_seconds() / _UNITS[form])


def count_step(seconds: int, form: BoundFormat) -> int:
    """Return a length of time in the unit of a format, at least one; a number's is itself."""
    return max(1, round(seconds / _UNITS.get(form, 1.0)))


def write_bound(bound: int, form: BoundFormat) -> JSON:
    """Write a bound as requests have it."""
    return _WRITERS[form](bound)


def write_bound_before(bound: int, form: BoundFormat) -> JSON:
    """Write the last value before a bound, for an API that leaves out what is equal to the beginning of a range.

    Of a day that is its last second: it is left out whether the API compares days or seconds.
    """
    return bound * _DAY_SECONDS - 1 if form is BoundFormat.EPOCH_DAY else _WRITERS[form](bound - 1)


def _write_iso(bound: int) -> str:
    return _find_moment(bound, 1.0).isoformat(timespec="seconds").replace("+00:00", "Z")


def _write_date(bound: int) -> str:
    return _find_moment(bound, _DAY_SECONDS).date().isoformat()


def _write_day(bound: int) -> int:
    return bound * _DAY_SECONDS


def _find_moment(bound: int, unit_seconds: float) -> datetime:
    return _EPOCH + timedelta(seconds=max(_EARLIEST_SECONDS, min(bound * unit_seconds, _LATEST_SECONDS)))


_WRITERS: Final[Mapping[BoundFormat, Callable[[int], JSON]]] = {
    BoundFormat.ISO: _write_iso,
    BoundFormat.DATE: _write_date,
    BoundFormat.EPOCH: int,
    BoundFormat.EPOCH_DAY: _write_day,
    BoundFormat.EPOCH_MS: int,
    BoundFormat.NUMBER: int,
}
