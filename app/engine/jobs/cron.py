"""When a cron expression is due: five fields, read by the clock of a named zone.

Where the zone's clock jumps forward, a fixed time inside the gap is due right after it; where the clock goes back, a
fixed time is due once, and ``*`` or ``*/n`` go on evenly.
"""

import functools
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from app.engine.errors import Failure, InvalidInputError

FIELDS: Final = 5
_LONGEST: Final = 200
_AN_INSTANT: Final = datetime(2026, 1, 1, tzinfo=UTC)


def check_cron(expression: str | None, zone: str | None) -> list[Failure]:
    """Return what is wrong with an expression and the name of a zone; None is not looked at."""
    found = []
    if zone is not None and _find_zone(zone) is None:
        found.append(Failure("timezone", f"'{zone[:100]}' is not a zone of the IANA database, such as Europe/Berlin"))
    if expression is not None and (message := _check_expression(expression)):
        found.append(Failure("cron_expression", message))
    return found


def find_next_due(expression: str, zone: str, after: datetime) -> datetime:
    """Return the first due time after a moment, in UTC; raise InvalidInputError when there can be none."""
    if faults := _check_cached(expression, zone):
        raise InvalidInputError(faults)
    return _find_next_due(expression, zone, after)


def list_due(expression: str, zone: str, after: datetime, *, until: datetime, most: int) -> list[datetime]:
    """Return the first due times after a moment, in UTC; none for an expression that is none any more."""
    if _check_cached(expression, zone):
        return []
    due: list[datetime] = []
    for local in CronSim(expression, after.astimezone(_find_zone(zone))):
        moment = local.astimezone(UTC)
        if moment > until or len(due) >= most:
            break
        due.append(moment)
    return due


# Thousands of triggers share a few expressions, and their due times.
@functools.lru_cache(maxsize=1024)
def _find_next_due(expression: str, zone: str, after: datetime) -> datetime:
    return next(CronSim(expression, after.astimezone(_find_zone(zone)))).astimezone(UTC)


@functools.lru_cache(maxsize=1024)
def _check_cached(expression: str, zone: str) -> tuple[Failure, ...]:
    return tuple(check_cron(expression, zone))


def _check_expression(expression: str) -> str | None:
    if len(expression) > _LONGEST or len(expression.split()) != FIELDS:
        return "expected five fields: minute, hour, day of month, month, day of week, such as '0 6 * * 1-5'"
    try:
        next(CronSim(expression, _AN_INSTANT))
    except CronSimError as error:
        return f"{str(error).lower()}: expected five fields such as '0 6 * * 1-5'"
    except StopIteration:
        return "is never due"
    return None


def _find_zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; not a relative path; a folder of zones
        return None
