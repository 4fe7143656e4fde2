"""Values as texts for people: numbers, durations, times and JSON."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from cron_descriptor import FormatError, MissingFieldError, Options, WrongArgumentError, get_description

ABSENT: Final = "\N{EN DASH}"
_UNITS: Final = (("d", 86_400), ("h", 3_600), ("min", 60))


def write_count(number: float | None) -> str:
    """Write a number with its thousands apart."""
    if number is None:
        return ABSENT
    return f"{number:,}" if isinstance(number, int) or not float(number).is_integer() else f"{int(number):,}"


def write_seconds(seconds: float | None) -> str:
    """Write a duration by its two largest units."""
    if seconds is None:
        return ABSENT
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    left, parts = int(seconds), []
    for unit, size in _UNITS:
        if left >= size:
            parts.append(f"{left // size} {unit}")
            left %= size
    return " ".join(parts[:2])


def write_time(moment: datetime) -> str:
    """Write a time of UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def write_machine_time(moment: datetime) -> str:
    """Write a time as a page's script and other programs read it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def write_json(value: object) -> str:
    """Write JSON over several lines; numbers keep all of their digits."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def write_value(value: object) -> str:
    """Write a value in one line: a text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


@lru_cache(maxsize=1024)
def write_cron(expression: str) -> str:
    """Write a cron expression in words; one that has no words stays as it is."""
    options = Options()
    options.use_24hour_time_format = True
    try:
        return str(get_description(expression, options))
    except (FormatError, MissingFieldError, WrongArgumentError, ValueError):
        return expression


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "count": write_count,
    "cron_words": write_cron,
    "seconds": write_seconds,
    "time": write_time,
    "machine_time": write_machine_time,
    "pretty_json": write_json,
    "value": write_value,
}
