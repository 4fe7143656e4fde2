"""How far back one look at the log may reach: a month (docs/wire.md B)."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from app.engine.errors import Failure

LONGEST: Final = timedelta(days=31)
_COLUMN: Final = "created_at"
_FROM: Final = ("gt", "gte")
_TO: Final = ("lt", "lte")


def bounded(times: Mapping[tuple[str, str], object], now: datetime) -> Mapping[tuple[str, str], object]:
    """Have a range that nobody gave a beginning begin a month before its end."""
    if any((_COLUMN, operator) in times for operator in (*_FROM, "eq", "in")):
        return times
    ends = _given(times, _TO)
    return {**times, (_COLUMN, "gte"): _before(min([*ends.values(), now]))}


def failures(times: Mapping[tuple[str, str], object], now: datetime) -> list[Failure]:
    """Return what is wrong with a range: it may not be longer than a month."""
    begins, ends = _given(times, _FROM), _given(times, _TO)
    if not begins or any((_COLUMN, operator) in times for operator in ("eq", "in")):
        return []
    operator, begin = max(begins.items(), key=lambda pair: pair[1])
    end = min([*ends.values(), now])
    if begin >= _before(end):
        return []
    reason = f"reaches back {(end - begin).days} days: one look at the log spans {LONGEST.days} days at most"
    return [Failure(f"{_COLUMN}[{operator}]", f"{reason}, which created_at[lt] ends")]


def _given(times: Mapping[tuple[str, str], object], operators: tuple[str, ...]) -> dict[str, datetime]:
    given = {operator: times.get((_COLUMN, operator)) for operator in operators}
    return {operator: time for operator, time in given.items() if isinstance(time, datetime)}


def _before(end: datetime) -> datetime:
    try:
        return end - LONGEST
    except OverflowError:
        return datetime.min.replace(tzinfo=end.tzinfo)
