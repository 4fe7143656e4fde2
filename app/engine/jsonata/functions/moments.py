"""``$dtFromIso`` and ``$dtFromFormat``: moments with the methods of Luxon's that mappings use.

Within an expression a moment is an object with its parts and methods, each of which comes back here with the moment's
ISO text. Only plain fields of it can leave the expression: end with ``.toISO()``, ``.toFormat(...)`` or a part.
"""

import calendar
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from app.engine.json_types import JSON, JsonObject
from app.engine.jsonata.functions.moment_formats import format_moment, parse_moment

_ASK: Final = "__moment"
_UNITS: Final = ("year", "month", "day", "hour", "minute", "second", "millisecond")
_LEAST: Final = {"month": 1, "day": 1, "hour": 0, "minute": 0, "second": 0, "microsecond": 0}
_METHODS: Final = ("toISO", "toISODate", "toMillis", "toSeconds", "toUnixInteger", "toJSDate", "toFormat")
_MOVES: Final = ("plus", "minus", "startOf", "endOf", "toUTC", "setZone", "set")
_PARTS: Final = (*_UNITS, "weekday", "ordinal", "daysInMonth", "isValid", "zoneName")

_OBJECT: Final = ", ".join(
    [
        *(f'"{part}": ${_ASK}($t, "{part}")' for part in _PARTS),
        *(f'"{name}": function($a) {{ ${_ASK}($t, "{name}", $a) }}' for name in _METHODS),
        *(f'"{name}": function($a) {{ $_moment(${_ASK}($t, "{name}", $a)) }}' for name in _MOVES),
        f'"diff": function($o, $u) {{ ${_ASK}($t, "diff", $o.toISO(), $u) }}',
    ]
)
_MAKER: Final = f"$_moment := function($t) {{ $exists($t) ? {{{_OBJECT}}} }};"
PRELUDES: Final[Mapping[str, str]] = {
    "dtFromIso": f'{_MAKER} $dtFromIso := function($s, $o) {{ $_moment(${_ASK}($s, "fromISO", $o)) }};',
    "dtFromFormat": (
        f'{_MAKER} $dtFromFormat := function($s, $f, $o) {{ $_moment(${_ASK}($s, "fromFormat", $f, $o)) }};'
    ),
}


def ask_moment(text: JSON = None, asked: JSON = None, argument: JSON = None, other: JSON = None) -> JSON:
    """Answer a part or a method of a moment that is given by its ISO text; nothing for what is no moment."""
    if not isinstance(text, str) or not isinstance(asked, str):
        return None
    match asked:
        case "fromISO":
            found = _read(text)
            return None if found is None else _write_iso(_convert_zone(found, argument))
        case "fromFormat":
            found = parse_moment(text, str(argument))
            return None if found is None else _write_iso(_convert_zone(found, other))
    found = _read(text)
    return None if found is None else _answer(found, asked, argument, other)


def _answer(at: datetime, asked: str, argument: JSON, other: JSON) -> JSON:
    if asked in _MOVES:
        return _write_iso(_move(at, asked, argument))
    if asked in _PARTS:
        return _read_part(at, asked)
    if asked in _WAYS_TO_WRITE:
        return _WAYS_TO_WRITE[asked](at)
    return format_moment(at, str(argument)) if asked == "toFormat" else _compute_difference(at, argument, other)


def _read_part(at: datetime, name: str) -> JSON:
    match name:
        case "weekday":
            return at.isoweekday()
        case "ordinal":
            return at.timetuple().tm_yday
        case "daysInMonth":
            return calendar.monthrange(at.year, at.month)[1]
        case "isValid":
            return True
        case "zoneName":
            return str(at.tzinfo)
        case "millisecond":
            return at.microsecond // 1000
        case _:
            return getattr(at, name)


def _move(at: datetime, asked: str, argument: JSON) -> datetime:
    match asked:
        case "plus":
            return _shift(at, argument, 1)
        case "minus":
            return _shift(at, argument, -1)
        case "startOf":
            return _find_start(at, _read_unit(argument))
        case "endOf":
            return _shift(_find_start(at, _read_unit(argument)), {_read_unit(argument): 1}, 1) - timedelta(
                milliseconds=1
            )
        case "set":
            changed: dict[str, Any] = {name: int(argument[name]) for name in _UNITS[:6] if name in argument}
            return at.replace(**changed)
        case _:
            return _convert_zone(at, {"zone": "UTC" if asked == "toUTC" else argument})


def _shift(at: datetime, duration: JSON, sign: int) -> datetime:
    """Add a duration such as ``{"days": 1, "months": 2}``; the end of a shorter month is not passed."""
    amounts = _read_amounts({"milliseconds": duration} if isinstance(duration, int | float) else duration)
    months = sign * (12 * amounts.pop("year", 0) + 3 * amounts.pop("quarter", 0) + amounts.pop("month", 0))
    count = at.year * 12 + at.month - 1 + int(months)
    year, month = divmod(count, 12)
    day = min(at.day, calendar.monthrange(year, month + 1)[1])
    moved = at.replace(year=year, month=month + 1, day=day)
    return moved + sign * timedelta(**{f"{name}s": amount for name, amount in amounts.items()})


def _read_amounts(duration: JSON) -> dict[str, float]:
    if not isinstance(duration, dict):
        raise ValueError("expected a duration such as {'days': 1}")
    return {_read_unit(name): amount for name, amount in duration.items()}


def _find_start(at: datetime, unit: str) -> datetime:
    if unit == "week":
        return _find_start(at, "day") - timedelta(days=at.isoweekday() - 1)
    if unit == "quarter":
        return _find_start(at.replace(day=1, month=at.month - (at.month - 1) % 3), "month")
    if unit == "millisecond":
        return at
    smaller = _UNITS[_UNITS.index(unit) + 1 : 6]
    least: dict[str, Any] = {name: _LEAST[name] for name in smaller}
    return at.replace(**least, microsecond=0)


def _compute_difference(at: datetime, other: JSON, units: JSON) -> JsonObject | None:
    until = _read(other) if isinstance(other, str) else None
    if until is None:
        return None
    unit = _read_unit(units or "millisecond")
    if unit in ("year", "month", "quarter"):
        raise ValueError(f"a difference in {unit}s is not known: expected weeks, days, hours, minutes or seconds")
    return {f"{unit}s": (at - until) / timedelta(**{f"{unit}s": 1})}


def _read_unit(name: JSON) -> str:
    unit = str(name).lower().removesuffix("s")
    if unit not in (*_UNITS, "week", "quarter"):
        raise ValueError(f"expected a unit such as 'day', found '{name}'")
    return unit


def _read(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _convert_zone(at: datetime, options: JSON) -> datetime:
    zone = options.get("zone") if isinstance(options, dict) else None
    return at if not isinstance(zone, str) else at.astimezone(_find_zone(zone))


def _find_zone(name: str) -> tzinfo:
    if name.upper() in ("UTC", "Z"):
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"'{name}' is no zone such as 'Europe/Berlin'") from error


def _write_iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


_WAYS_TO_WRITE: Final[Mapping[str, Callable[[datetime], JSON]]] = {
    "toISO": _write_iso,
    "toJSDate": _write_iso,
    "toISODate": lambda at: at.date().isoformat(),
    "toMillis": lambda at: round(at.timestamp() * 1000),
    "toSeconds": lambda at: at.timestamp(),
    "toUnixInteger": lambda at: int(at.timestamp()),
}
FUNCTIONS: Final[Mapping[str, Callable[..., JSON]]] = {_ASK: ask_moment}
