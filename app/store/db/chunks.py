"""Cut what a page holds into what one statement takes.

A very large page would be held as its values, as the statement's message and by Postgres, which takes at most 1 GB.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

T = TypeVar("T")

_MOST_BYTES: Final = 8 * 1024 * 1024


def parts(items: Iterable[T], size_of: Callable[[T], int], *, most: int) -> Iterator[list[T]]:
    """Cut items into parts of at most ``most``, each of some 8 MB; one that is larger by itself stands alone."""
    part: list[T] = []
    size = 0
    for item in items:
        item_size = size_of(item)
        if part and (len(part) >= most or size + item_size > _MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(item)
        size += item_size
    if part:
        yield part
