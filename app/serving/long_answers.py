"""Requests whose answers take as long as their clients read: they have threads of their own, and few."""

from typing import Final
from urllib.parse import unquote

from app.serving.upstream_requests import read_target

THREADS: Final = 4
"""Of one worker; who comes later waits until one is free."""
_LONG: Final = ("record", "export")


def is_long(request: bytes | bytearray) -> bool:
    """Whether the answer to a request is streamed, by its path."""
    _, target = read_target(request)
    path = target.partition("?")[0]
    segments = tuple(segment for segment in unquote(path).split("/") if segment)
    return segments[-len(_LONG) :] == _LONG
