"""Which requests wait for an upstream: these are kept from the threads that answer all others."""

from typing import Final
from urllib.parse import unquote, urlsplit

_CALLS: Final = frozenset({"proxy", "unified", "custom"})
_TRIED: Final = frozenset({("sync-job", "validate")})
_MAY_BE_DRY: Final = frozenset({("sync-job-run",)})
_LONGEST_LINE: Final = 8192


def may_wait(request: bytes | bytearray) -> bool:
    """Whether a request, as it came in, may wait for an upstream: by its path, decoded as its route is found."""
    line = bytes(request[:_LONGEST_LINE]).partition(b"\r\n")[0].decode("latin-1")
    method, _, rest = line.partition(" ")
    target = rest.partition(" ")[0]
    path, _, query = _origin_form(target).partition("?")
    segments = tuple(segment for segment in unquote(path).split("/") if segment)
    if not _CALLS.isdisjoint(segments):
        return True
    return method == "POST" and (segments in _TRIED or (segments in _MAY_BE_DRY and bool(query)))


def _origin_form(target: str) -> str:
    if target.startswith("/"):
        return target
    try:
        parts = urlsplit(target)
    except ValueError:
        return target
    return f"{parts.path}?{parts.query}"
