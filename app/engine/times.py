"""Times as the wire shows them, ISO-8601 in UTC with milliseconds and ``Z``, and as sentences do."""

from datetime import UTC, datetime


def format_utc(moment: datetime) -> str:
    """Write an aware time, for example ``2021-08-10T10:00:00.000Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def format_utc_for_people(moment: datetime) -> str:
    """Write an aware time to the second, for example ``2021-08-10 10:00:00 UTC``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def format_utc_or_none(moment: datetime | None) -> str | None:
    """Write a time that may be absent."""
    return format_utc(moment) if moment else None
