"""Checks of values in the config of a datastore; each returns what was expected, None when the value is fine.

No message repeats a value, which may be a secret.
"""

import re
from collections.abc import Callable, Collection
from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlsplit

from app.engine.json_types import JSON

_LONGEST: Final = 16_384
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f]{1,255}")
_HOST: Final = re.compile(r"[A-Za-z0-9_.:-]{1,253}")
_CONTAINER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,221}")
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_=.+@-]{1,200}")
_LARGEST_PORT: Final = 65535
_URL_PARAMETERS: Final = frozenset({"sslmode"})
"""Others of libpq name files of this machine, or change what a session does."""


def check_text(value: JSON) -> str | None:
    """Check a text of any content."""
    is_text = isinstance(value, str) and 0 < len(value) <= _LONGEST and "\0" not in value
    return None if is_text else "expected a text"


def check_name(value: JSON) -> str | None:
    """Check a name without control characters."""
    return None if isinstance(value, str) and _NAME.fullmatch(value) else "expected a name of 1 to 255 characters"


def check_host(value: JSON) -> str | None:
    """Check the name or address of one host; a path of a socket is none."""
    return None if isinstance(value, str) and _HOST.fullmatch(value) else "expected the name or address of one host"


def check_port(value: JSON) -> str | None:
    """Check the number of a port."""
    is_port = type(value) is int and 0 < value <= _LARGEST_PORT
    return None if is_port else f"expected a number from 1 to {_LARGEST_PORT}"


def check_choice(choices: Collection[str]) -> Callable[[JSON], str | None]:
    """Return the check that a text is one of some."""
    expected = f"expected one of: {', '.join(choices)}"
    return lambda value: None if value in choices else expected


def check_container(value: JSON) -> str | None:
    """Check the name of a bucket or container."""
    is_name = isinstance(value, str) and _CONTAINER.fullmatch(value)
    return None if is_name else "expected the name of a bucket: letters, digits, '.', '-' and '_'"


def check_prefix(value: JSON) -> str | None:
    """Check what the names of all objects begin with; empty is the bucket itself."""
    return None if value == "" else check_path(value)


def check_path(value: JSON) -> str | None:
    """Check a relative path that stays below where it begins."""
    expected = "expected a relative path such as exports/acme: letters, digits and '_=.+@-', without '..'"
    if not isinstance(value, str) or len(value) > _LONGEST:
        return expected
    segments = value.split("/")
    is_path = all(_SEGMENT.fullmatch(segment) and segment not in (".", "..") for segment in segments)
    return None if is_path else expected


def check_web_address(value: JSON) -> str | None:
    """Check an http or https address without a user."""
    parts = _split(value)
    is_address = (
        parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
    )
    return None if is_address else "expected an http or https address without a user"


def check_object(value: JSON) -> str | None:
    """Check a JSON object."""
    return None if isinstance(value, dict) and value else "expected an object"


def check_certificate(value: JSON) -> str | None:
    """Check certificates in PEM."""
    is_pem = isinstance(value, str) and len(value) <= _LONGEST * 8 and "-----BEGIN CERTIFICATE-----" in value
    return None if is_pem else "expected certificates in PEM, which begin with -----BEGIN CERTIFICATE-----"


def check_postgres_url(value: JSON) -> str | None:
    """Check the URL of a database, of which only the parts that name one place are taken."""
    parts = _split(value)
    if parts is None or parts.scheme not in ("postgres", "postgresql"):
        return "expected an address such as postgresql://user:password@host:5432/database?sslmode=verify-full"
    if not parts.hostname or check_host(parts.hostname) or len(parts.path) <= 1 or not parts.username:
        return "expected a user, one host and a database in the address"
    unknown = sorted({name for name, _ in parse_qsl(parts.query, keep_blank_values=True)} - _URL_PARAMETERS)
    return f"has parameters that are not taken: {', '.join(unknown)[:100]}" if unknown else None


def _split(value: JSON) -> SplitResult | None:
    """Split an address; None for what is none."""
    if not isinstance(value, str) or len(value) > _LONGEST or any(character.isspace() for character in value):
        return None
    try:
        parts = urlsplit(value)
        return parts if parts.port != 0 else None
    except ValueError:
        return None
