"""What DATABASE_URL says, as libpq reads it: every parameter, and several hosts."""

from typing import Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

from app.numerals import is_count

_SCHEMES: Final = ("postgresql://", "postgres://")
_EXPECTED: Final = "expected a URL like postgresql://user:password@host/ferryman"
_ENCODED: Final = f"{_EXPECTED}; characters such as '@' in a password are percent-encoded"


def read_arguments(url: str) -> dict[str, str]:
    """Read a URL's parameters by the names that libpq has for them; raise ValueError, which repeats nothing of it."""
    if not url.startswith(_SCHEMES):
        raise ValueError(_EXPECTED)
    try:
        arguments = {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
    except psycopg.Error:
        raise ValueError(f"{_ENCODED}, and parameters are those that libpq knows") from None
    if not all(is_count(port) for port in arguments.get("port", "").split(",") if port):
        raise ValueError(_ENCODED)
    return arguments
