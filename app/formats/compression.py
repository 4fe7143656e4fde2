"""Compress a file as it is made; the same content always makes the same bytes."""

import sys
import zlib
from collections.abc import Sequence
from typing import Final, TypeAlias

from app.formats.layout import Row
from app.formats.ports import RowEncoder

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdCompressor
else:
    from backports.zstd import ZstdCompressor

_ZSTD_LEVEL: Final = 3
# With a head and a checksum as of a .gz file, and without a time in it.
_GZIP_WINDOW_BITS: Final = 31


Compressor: TypeAlias = "zlib._Compress | ZstdCompressor"


class CompressedEncoder:
    """Makes the file of another encoder, compressed."""

    def __init__(self, inner: RowEncoder, compressor: Compressor) -> None:
        self._inner = inner
        self._compressor = compressor

    def encode(self, rows: Sequence[Row]) -> bytes:
        """Add rows."""
        return self._compressor.compress(self._inner.encode(rows))

    def finish(self) -> bytes:
        """Return the rest of the file."""
        return self._compressor.compress(self._inner.finish()) + self._compressor.flush()


def open_gzip() -> Compressor:
    """Begin a gzip file."""
    return zlib.compressobj(wbits=_GZIP_WINDOW_BITS)


def open_zstd() -> Compressor:
    """Begin a zstd file."""
    return ZstdCompressor(level=_ZSTD_LEVEL)
