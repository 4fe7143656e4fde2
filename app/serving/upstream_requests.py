"""Requests that may wait for an upstream or a receiver: they have threads of their own."""

from typing import Final
from urllib.parse import unquote, urlsplit

_CALLS: Final = frozenset({"proxy", "unified", "custom"})
_TRIED: Final = (
    ("sync-job", "validate"),
    ("integrated-account", "refresh-credentials"),
    ("integrated-account", "bulk-delete"),
    ("webhook", "test"),
)
_ACCOUNT: Final = "integrated-account"
"""Its row is locked while its token is requested, and a change waits for that."""
_CHANGING: Final = frozenset({"PATCH", "DELETE"})
_MAY_BE_DRY: Final = (("sync-job-run",),)
_LONGEST_LINE: Final = 8192


def may_wait(request: bytes | bytearray) -> bool:
    """Whether a request may wait for an upstream or a receiver, by its path."""
    method, target = read_target(request)
    path, _, query = target.partition("?")
    segments = tuple(segment for segment in unquote(path).split("/") if segment)
    if not _CALLS.isdisjoint(segments) or (method in _CHANGING and _ACCOUNT in segments):
        return True
    return method == "POST" and (_end_in(segments, _TRIED) or (_end_in(segments, _MAY_BE_DRY) and bool(query)))


def read_target(request: bytes | bytearray) -> tuple[str, str]:
    """Return the method of a request, and its path with its query."""
    line = bytes(request[:_LONGEST_LINE]).partition(b"\r\n")[0].decode("latin-1")
    method, _, rest = line.partition(" ")
    return method, _origin_form(rest.partition(" ")[0])


def _end_in(segments: tuple[str, ...], routes: tuple[tuple[str, ...], ...]) -> bool:
    """Whether a path is that of one of some routes, whatever prefix stands before it."""
    return any(segments[-len(route) :] == route for route in routes)


def _origin_form(target: str) -> str:
    if target.startswith("/"):
        return target
    try:
        parts = urlsplit(target)
    except ValueError:
        return target
    return f"{parts.path}?{parts.query}"
