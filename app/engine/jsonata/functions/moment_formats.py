"""Write and read moments by Luxon's format tokens: ``yyyy-MM-dd'T'HH:mm``."""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July", "August"),
    *("September", "October", "November", "December"),
)
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_TOKEN: Final = re.compile(
    r"'([^']*)'|(yyyy|yy|y|MMMM|MMM|MM|M|LLLL|LLL|LL|L|dd|d|EEEE|EEE|cccc|ccc|HH|H|hh|h|mm|m|ss|s|SSS|S|a|ZZZ|ZZ|Z|X|x|o)"
)

_WRITERS: Final[Mapping[str, Callable[[datetime], str]]] = {
    "yyyy": lambda at: f"{at.year:04d}",
    "yy": lambda at: f"{at.year % 100:02d}",
    "y": lambda at: str(at.year),
    "MMMM": lambda at: _MONTHS[at.month - 1],
    "MMM": lambda at: _MONTHS[at.month - 1][:3],
    "MM": lambda at: f"{at.month:02d}",
    "M": lambda at: str(at.month),
    "dd": lambda at: f"{at.day:02d}",
    "d": lambda at: str(at.day),
    "EEEE": lambda at: _DAYS[at.weekday()],
    "EEE": lambda at: _DAYS[at.weekday()][:3],
    "HH": lambda at: f"{at.hour:02d}",
    "H": lambda at: str(at.hour),
    "hh": lambda at: f"{(at.hour - 1) % 12 + 1:02d}",
    "h": lambda at: str((at.hour - 1) % 12 + 1),
    "mm": lambda at: f"{at.minute:02d}",
    "m": lambda at: str(at.minute),
    "ss": lambda at: f"{at.second:02d}",
    "s": lambda at: str(at.second),
    "SSS": lambda at: f"{at.microsecond // 1000:03d}",
    "S": lambda at: str(at.microsecond // 1000),
    "a": lambda at: "AM" if at.hour < 12 else "PM",
    "ZZZ": lambda at: at.strftime("%z"),
    "ZZ": lambda at: f"{at.strftime('%z')[:3]}:{at.strftime('%z')[3:]}",
    "Z": lambda at: f"{int(at.strftime('%z')[:3]):+d}",
    "X": lambda at: str(int(at.timestamp())),
    "x": lambda at: str(round(at.timestamp() * 1000)),
    "o": lambda at: str(at.timetuple().tm_yday),
}
_ALIASES: Final = {"LLLL": "MMMM", "LLL": "MMM", "LL": "MM", "L": "M", "cccc": "EEEE", "ccc": "EEE"}
_PATTERNS: Final[Mapping[str, str]] = {
    "yyyy": r"\d{4}",
    "yy": r"\d\d",
    "y": r"\d{1,4}",
    "MMMM": "|".join(_MONTHS),
    "MMM": "|".join(month[:3] for month in _MONTHS),
    "EEEE": "|".join(_DAYS),
    "EEE": "|".join(day[:3] for day in _DAYS),
    "SSS": r"\d{3}",
    "S": r"\d{1,3}",
    "a": "[AaPp][Mm]",
    "ZZZ": r"[+-]\d{4}|Z",
    "ZZ": r"[+-]\d\d:\d\d|Z",
    "Z": r"[+-]\d{1,2}|Z",
    "X": r"-?\d{1,12}",
    "x": r"-?\d{1,15}",
    **dict.fromkeys(("MM", "dd", "HH", "hh", "mm", "ss"), r"\d\d"),
    **dict.fromkeys(("M", "d", "H", "h", "m", "s"), r"\d{1,2}"),
    "o": r"\d{1,3}",
}


_WIDTHS: Final[Mapping[str, int]] = {
    **dict.fromkeys(("M", "d", "H", "h", "m", "s", "Z"), 2),
    **{"S": 3, "o": 3, "y": 4, "X": 12, "x": 15},
}
"""How many lengths what a token reads may have."""

_MOST_WAYS: Final = 20_000


def format_moment(at: datetime, format: str) -> str:
    """Write a moment."""
    return _TOKEN.sub(lambda token: token[1] if token[2] is None else _WRITERS[_resolve_alias(token[2])](at), format)


def parse_moment(text: str, format: str) -> datetime | None:
    """Read a moment, in UTC unless the text names an offset; None when the text has another form."""
    pattern, names, end = "", list[str](), 0
    tokens = [_resolve_alias(token[2]) for token in _TOKEN.finditer(format) if token[2]]
    if math.prod(_WIDTHS.get(token, 1) for token in tokens) > _MOST_WAYS:
        raise ValueError(
            f"a format may be read in at most {_MOST_WAYS} ways: expected 'MM' instead of 'M', and the like"
        )
    for token in _TOKEN.finditer(format):
        pattern += re.escape(format[end : token.start()])
        end = token.end()
        if token[2] is None:
            pattern += re.escape(token[1])
        else:
            names.append(_resolve_alias(token[2]))
            pattern += f"({_PATTERNS[names[-1]]})"
    match = re.fullmatch(pattern + re.escape(format[end:]), text.strip(), re.IGNORECASE)
    return None if match is None else _build_moment(dict(zip(names, match.groups(), strict=True)))


def _build_moment(found: Mapping[str, str]) -> datetime | None:
    try:
        if "X" in found or "x" in found:
            seconds = int(found["X"]) if "X" in found else int(found["x"]) / 1000
            return datetime.fromtimestamp(seconds, UTC)
        year = int(found.get("yyyy") or found.get("y") or 0) or _read_century(found.get("yy"))
        return datetime(
            year,
            _read_month(found),
            _read_first(found, "dd", "d", default=1),
            _read_hour(found),
            _read_first(found, "mm", "m"),
            _read_first(found, "ss", "s"),
            _read_first(found, "SSS", "S") * 1000,
            tzinfo=_read_offset(found.get("ZZZ") or found.get("ZZ") or found.get("Z")),
        )
    except (ValueError, OverflowError):
        return None


def _read_century(two_digits: str | None) -> int:
    if two_digits is None:
        raise ValueError("the format has no year")
    return int(two_digits) + (1900 if int(two_digits) > 60 else 2000)


def _read_month(found: Mapping[str, str]) -> int:
    name = (found.get("MMMM") or found.get("MMM") or "")[:3].capitalize()
    if name:
        return [month[:3] for month in _MONTHS].index(name) + 1
    return _read_first(found, "MM", "M", default=1)


def _read_hour(found: Mapping[str, str]) -> int:
    hour = _read_first(found, "HH", "H", "hh", "h")
    if "a" not in found:
        return hour
    return hour % 12 + (12 if found["a"].lower() == "pm" else 0)


def _read_first(found: Mapping[str, str], *names: str, default: int = 0) -> int:
    return next((int(found[name]) for name in names if name in found), default)


def _read_offset(text: str | None) -> timezone:
    if text is None or text.upper() == "Z":
        return UTC
    digits = text[1:].replace(":", "")
    hours, minutes = int(digits[:2]), int(digits[2:] or 0)
    return timezone((-1 if text[0] == "-" else 1) * timedelta(hours=hours, minutes=minutes))


def _resolve_alias(token: str) -> str:
    return _ALIASES.get(token, token)
