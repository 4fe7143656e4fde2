"""When to try again: exponential backoff, with full jitter where many wait for one server, and Retry-After.

Full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/. Retry-After: RFC 9110, 10.2.3.
"""

import random
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from app.engine.limits import constants

draw_chance: Final = random.SystemRandom().random
"""Draw a number from 0 to below 1, by no state that forked processes would share."""


def compute_backoff(attempt: int, base: float, cap: float) -> float:
    """Return the seconds to wait after the ``attempt``-th failure (from 1): ``base``, doubled by each further one."""
    return min(cap, base * 2.0 ** min(attempt - 1, 62))


def draw_backoff(attempt: int, base: float, cap: float, chance: Callable[[], float] = draw_chance) -> float:
    """Draw a pause with full jitter: anything from 0 to what ``compute_backoff`` returns."""
    return chance() * compute_backoff(attempt, base, cap)


def read_retry_after(header: str | None, now: datetime) -> float | None:
    """Read a Retry-After header, in either form: clamped to 0 s and a day; None where there is no time in it."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return min(float(text), constants.LONGEST_BELIEVED_SECONDS)
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max((aware - now).total_seconds(), 0.0), constants.LONGEST_BELIEVED_SECONDS)
