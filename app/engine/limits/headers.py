"""Read the rate limit in an upstream's headers: Retry-After, RateLimit and the many X-RateLimit headers.

Resets come as epoch seconds, epoch milliseconds or seconds from now; their size shows which. A wait that is
negative, zero, past, or more than a day away is ignored. RFC 9110 10.2.3;
draft-ietf-httpapi-ratelimit-headers (structured fields, and the three older names).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from app.engine.limits import constants

_RESET_NAMES: Final = (
    "ratelimit-reset",
    "x-ratelimit-reset",
    "x-rate-limit-reset",
    "x-ratelimit-reset-after",
    "x-ratelimit-reset-requests",
)
_REMAINING_NAMES: Final = (
    "ratelimit-remaining",
    "x-ratelimit-remaining",
    "x-rate-limit-remaining",
    "x-ratelimit-remaining-requests",
)
_LIMIT_NAMES: Final = ("ratelimit-limit", "x-ratelimit-limit", "x-rate-limit-limit", "x-ratelimit-limit-requests")

# A clock that differs less from the upstream's whole-second Date header may well be the same.
_EPOCH_SECONDS: Final = 1e9
_EPOCH_MILLISECONDS: Final = 1e11
_EPOCH_MICROSECONDS: Final = 1e14

_NUMBER = re.compile(r"\d{1,19}(?:\.\d{1,9})?", re.ASCII)
_INTEGER = re.compile(r"\s*(\d{1,18})(?:\D|$)", re.ASCII)
_DURATION = re.compile(
    r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m(?!s))?(?:(\d{1,9}(?:\.\d{1,9})?)s)?(?:(\d{1,9})ms)?", re.ASCII
)
_DURATION_UNITS: Final = (86400.0, 3600.0, 60.0, 1.0, 0.001)
_PARAMETER = re.compile(r"(?:^|[;,\s])\s*(r|t|q|w|limit|remaining|reset)\s*=\s*(\d{1,18})(?=[;,\s]|$)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimitHeaders:
    """What one answer says; None where it says nothing, or nothing that can be true."""

    retry_after_seconds: float | None = None
    reset_seconds: float | None = None
    """From now until the requests that remain are made up again."""
    remaining: int | None = None
    limit: int | None = None

    def wait_seconds(self, configured: float | None = None, *, has_default: bool = False) -> float | None:
        """Return how long a request that was refused should wait: the longest wait that was named.

        A reset beside requests that remain is another limit's than the one that refused (GitHub's hour, while its
        secondary limit asks for a minute): it counts only where nothing else is known.
        """
        named = [seconds for seconds in (self.retry_after_seconds, configured) if seconds is not None]
        is_of_another = bool(self.remaining) and (bool(named) or has_default)
        if self.reset_seconds is not None and not is_of_another:
            named.append(self.reset_seconds)
        return min(max(named), constants.LONGEST_WAIT_SECONDS) if named else None


def read_headers(headers: Mapping[str, str], *, now: datetime, server_date: datetime | None) -> RateLimitHeaders:
    """Read an answer's headers; names in lower case. Never raises."""
    clock = _choose_clock(now, server_date)
    fields = _read_structured(headers.get("ratelimit", ""))
    return RateLimitHeaders(
        retry_after_seconds=read_seconds(headers.get("retry-after"), clock),
        reset_seconds=_find_seconds(headers, clock) if fields.reset_seconds is None else fields.reset_seconds,
        remaining=_find_integer(headers, _REMAINING_NAMES) if fields.remaining is None else fields.remaining,
        limit=_read_limit(headers, fields),
    )


def read_seconds(text: str | None, clock: datetime) -> float | None:
    """Read a wait or a moment in any of the forms that occur; None when it is absent or not to be believed."""
    if text is None:
        return None
    text = text.strip()
    if _NUMBER.fullmatch(text):
        return believe(_convert_number(float(text), clock))
    if (match := _DURATION.fullmatch(text)) and text:
        parts = zip(match.groups(), _DURATION_UNITS, strict=True)
        return believe(sum(float(part) * unit for part, unit in parts if part))
    return believe(_convert_date(text, clock))


def believe(seconds: float | None) -> float | None:
    """Keep a wait that makes sense."""
    return seconds if seconds is not None and 0.0 < seconds <= constants.LONGEST_BELIEVED_SECONDS else None


def _choose_clock(now: datetime, server_date: datetime | None) -> datetime:
    """Choose the clock for moments: the upstream's own, when ours clearly differs."""
    if server_date is None or abs((server_date - now).total_seconds()) <= constants.SAME_CLOCK_SECONDS:
        return now
    return server_date


def _convert_number(value: float, clock: datetime) -> float:
    if value < _EPOCH_SECONDS:
        return value
    if value < _EPOCH_MILLISECONDS:
        return value - clock.timestamp()
    return value / (1e3 if value < _EPOCH_MICROSECONDS else 1e6) - clock.timestamp()


def _convert_date(text: str, clock: datetime) -> float | None:
    for parse in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            moment = parse(text)
            aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return (aware - clock).total_seconds()
        except (TypeError, ValueError, OverflowError):
            continue
    return None


def _read_structured(text: str) -> RateLimitHeaders:
    """Read a RateLimit field; of several policies the one with the least left."""
    policies = [dict(_PARAMETER.findall(part)) for part in _split_policies(text)]
    found = [
        RateLimitHeaders(
            remaining=_read_integer(policy.get("r", policy.get("remaining"))),
            reset_seconds=_read_believed(policy.get("t", policy.get("reset"))),
            limit=_read_integer(policy.get("limit")),
        )
        for policy in policies
    ]
    named = [policy for policy in found if policy.remaining is not None]
    return min(
        named, key=lambda policy: (policy.remaining or 0, -(policy.reset_seconds or 0.0)), default=RateLimitHeaders()
    )


def _split_policies(text: str) -> list[str]:
    """Split a list of policies; an older draft parts the fields of its only one by commas."""
    return [text] if "remaining=" in text.replace(" ", "") else text.split(",")


def _read_limit(headers: Mapping[str, str], fields: RateLimitHeaders) -> int | None:
    if fields.limit is not None:
        return fields.limit
    policies = headers.get("ratelimit-policy", "").split(",")
    quotas = [dict(_PARAMETER.findall(policy)).get("q") for policy in policies]
    if len(policies) == 1 and quotas[0] is not None:
        return _read_integer(quotas[0])
    return _find_integer(headers, _LIMIT_NAMES)


def _find_integer(headers: Mapping[str, str], names: tuple[str, ...]) -> int | None:
    return next((value for name in names if (value := _read_integer(headers.get(name))) is not None), None)


def _find_seconds(headers: Mapping[str, str], clock: datetime) -> float | None:
    return next((value for name in _RESET_NAMES if (value := read_seconds(headers.get(name), clock)) is not None), None)


def _read_integer(text: str | None) -> int | None:
    match = _INTEGER.match(text) if text else None
    return int(match[1]) if match else None


def _read_believed(text: str | None) -> float | None:
    return believe(float(text)) if text else None
