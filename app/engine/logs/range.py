"""How far back one look at the log may reach: a month (wire.md B)."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from app.engine.errors import Failure

LONGEST: Final = timedelta(days=31)
_COLUMN: Final = "created_at"
_FROM: Final = ("gt", "gte")
_TO: Final = ("lt", "lte")


def bound_range(times: Mapping[tuple[str, str], object], now: datetime) -> Mapping[tuple[str, str], object]:
    """Return a range that begins a month before its end, where it has no beginning."""
    if any((_COLUMN, operator) in times for operator in (*_FROM, "eq", "in")):
        return times
    ends = _find_times(times, _TO)
    return {**times, (_COLUMN, "gte"): _subtract_longest(min([*ends.values(), now]))}


def check_range(times: Mapping[tuple[str, str], object], now: datetime) -> list[Failure]:
    """Return what is wrong with a range: it may not be longer than a month."""
    begins, ends = _find_times(times, _FROM), _find_times(times, _TO)
    if not begins or any((_COLUMN, operator) in times for operator in ("eq", "in")):
        return []
    operator, begin = max(begins.items(), key=lambda pair: pair[1])
    end = min([*ends.values(), now])
    if begin >= _subtract_longest(end):
        return []
    reason = f"reaches back {(end - begin).days} days: one look at the log spans {LONGEST.days} days at most"
    return [Failure(f"{_COLUMN}[{operator}]", f"{reason}, which created_at[lt] ends")]


def _find_times(times: Mapping[tuple[str, str], object], operators: tuple[str, ...]) -> dict[str, datetime]:
    given = {operator: times.get((_COLUMN, operator)) for operator in operators}
    return {operator: time for operator, time in given.items() if isinstance(time, datetime)}


def _subtract_longest(end: datetime) -> datetime:
    try:
        return end - LONGEST
    except OverflowError:
        return datetime.min.replace(tzinfo=end.tzinfo)
