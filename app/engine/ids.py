"""Make ids, and read them."""

import os
import re
import time
import uuid
from datetime import UTC, datetime
from typing import Final

_CANONICAL: Final = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


def new_id() -> str:
    """Make a random UUID in its canonical text form."""
    return str(uuid.uuid4())


def new_timed_id() -> str:
    """Make a UUID that holds the time at which it was made (RFC 9562, version 7)."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10))
    value = milliseconds << 80 | 7 << 76 | (random >> 64 & 0xFFF) << 64 | 2 << 62 | random & (1 << 62) - 1
    return str(uuid.UUID(int=value))


def read_time(id: str) -> datetime | None:
    """Return the time at which a timed id was made; None for any other text."""
    try:
        found = uuid.UUID(id)
        return datetime.fromtimestamp((found.int >> 80) / 1000, UTC) if found.version == 7 else None
    except (ValueError, OverflowError, OSError):
        return None


def parse_id(text: str) -> str | None:
    """Return a UUID's canonical form; None when the text is not one."""
    return text.lower() if _CANONICAL.fullmatch(text) else None


def derive_id(id: str, name: str) -> str:
    """Make a UUID from an id and a name: the same each time."""
    return str(uuid.uuid5(uuid.UUID(id), name))
