"""Paths that callers give to be sent to an account's API: each leads to somewhere below its base_url, or is refused."""

import re
from typing import Final
from urllib.parse import unquote

from app.engine.errors import Failure, InvalidInputError

_SEPARATOR: Final = re.compile(r"[/\\]")
_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[/\\]")
_OTHER_HOST: Final = re.compile(r"[/\\]{2}")
_MOST_DECODINGS: Final = 4
"""Servers between here and the API may decode a path more than once."""


def checked(path: str) -> str:
    """Give a path, percent-encoded as it is to be sent, without its first slash; raise InvalidInputError."""
    seen = path
    for _ in range(_MOST_DECODINGS):
        if _ADDRESS.match(seen) or _OTHER_HOST.match(seen):
            raise _refused("expected a path below the integration's base_url, found the address of another place")
        if not {".", ".."}.isdisjoint(_SEPARATOR.split(seen)):
            raise _refused("holds '.' or '..' as a segment, which could lead out of the integration's base_url")
        seen = unquote(seen)
    return path.removeprefix("/")


def _refused(message: str) -> InvalidInputError:
    return InvalidInputError([Failure("path", message)])
