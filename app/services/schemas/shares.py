"""How much of Postgres' time learning takes: a small share while records are written, and batches of a fitting size."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

SMALL: Final = 0.04
"""Of the time of one session, while somebody writes records."""
LARGE: Final = 0.5
_SMALL_BATCH_SECONDS: Final = 0.05
_LARGE_BATCH_SECONDS: Final = 0.2
_FIRST_BATCH: Final = 200
_FEWEST: Final = 10
_MOST: Final = 5_000
_LONGEST_REST_SECONDS: Final = 5.0


class Share:
    """Runs batches, and rests after each so long that they take no more than a share of the time."""

    def __init__(
        self,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.monotonic = monotonic
        self._pause = pause
        self.is_small = True
        self.batch = _FIRST_BATCH
        """How many rows the next batch should have."""

    def take(self, do: Callable[[], T]) -> T:
        """Do a batch, then rest from all that it took."""
        began = self.monotonic()
        try:
            return do()
        finally:
            took = self.monotonic() - began
            share = SMALL if self.is_small else LARGE
            self._pause(min(took * (1 / share - 1), _LONGEST_REST_SECONDS))

    def read(self, find: Callable[[int], T], count: Callable[[T], int]) -> T:
        """Read as many rows as the batch should have, and fit the next one by how long that took.

        What a batch costs whatever its size is none of it: else a busy machine would have ever smaller ones.
        """
        began = self.monotonic()
        found = find(self.batch)
        took, rows = self.monotonic() - began, count(found)
        if rows and took > 0:
            aim = _SMALL_BATCH_SECONDS if self.is_small else _LARGE_BATCH_SECONDS
            self.batch = max(_FEWEST, min(_MOST, 2 * self.batch, int(rows * aim / took)))
        return found
