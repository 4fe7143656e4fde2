"""What makes a file of rows."""

from collections.abc import Sequence
from typing import Protocol

from app.formats.layout import Row


class RowEncoder(Protocol):
    """Makes one file, piece by piece; the same rows in the same pieces always make the same bytes."""

    def encode(self, rows: Sequence[Row]) -> bytes:
        """Add rows; return what is complete of the file by now, which may be nothing."""

    def finish(self) -> bytes:
        """Return the rest of the file; without it none is complete."""
