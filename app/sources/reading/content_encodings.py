"""Undo the Content-Encoding of a body while it arrives: several may be stacked, and the output is bounded.

Unpacking is a series of short steps, between which other tasks run: a step ends after some 64 KiB of input or output,
or after many empty members or frames.

An unknown encoding, such as the ``utf-8`` that some servers put into the header, is left as it is.
"""

import io
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

import brotli

if sys.version_info >= (3, 14):
    from compression.zstd import DecompressionParameter, ZstdDecompressor, ZstdError
else:
    from backports.zstd import DecompressionParameter, ZstdDecompressor, ZstdError

ACCEPTED: Final = "gzip, deflate, br, zstd"
"""The ``Accept-Encoding`` of requests."""

STEP_BYTES: Final = 64 * 1024
_PIECE_BYTES: Final = STEP_BYTES
# A decompressor that ends copies all that it was given beyond its end: small slices keep many tiny members linear.
_SLICE_BYTES: Final = 16 * 1024
_PIECE_COST: Final = 512
"""What an empty piece counts as, such as a member without content."""
_MOST_STACKED: Final = 4
# The largest window of a frame: RFC 9659's limit, where the library's own is 128 MiB.
_ZSTD_WINDOW_LOG: Final = 23
_ZSTD_OPTIONS: Final[Mapping[int, int]] = {DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}

_GZIP_MAGIC: Final = b"\x1f\x8b"
_GZIP_BITS: Final = 16 + zlib.MAX_WBITS


class UnpackingError(ValueError):
    """A body is not what its Content-Encoding says, or ends too early."""


class OverLimitError(UnpackingError):
    """A body unpacks to more than the limit."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        super().__init__(f"it unpacks to more than {limit_bytes} bytes")


class Body:
    """A body as it arrives, unpacked."""

    def __init__(self, headers: Sequence[str], *, limit_bytes: int) -> None:
        """``headers`` are the values of Content-Encoding."""
        self._stages = [_STAGES[name]() for name in reversed(_list_known(headers))]
        self._limit_bytes = limit_bytes
        self._sizes = [0] * (len(self._stages) + 1)
        # Not a list of pieces, which may be two bytes each.
        self._content = io.BytesIO()
        self._work = 0
        """The cost of the current step so far."""

    @property
    def size(self) -> int:
        """The bytes that have been unpacked so far."""
        return self._sizes[-1]

    @property
    def memory_bytes(self) -> int:
        """The unpacked bytes, and what the decoders keep of their output."""
        outputs = [*self._sizes[: max(0, len(self._stages) - 1)], self.size]
        return self.size + sum(
            min(stage.window_bytes, size) for stage, size in zip(self._stages, outputs, strict=False)
        )

    @property
    def content(self) -> bytes:
        """What has been unpacked so far."""
        return self._content.getvalue()

    def add(self, data: bytes) -> Iterator[None]:
        """Unpack what has arrived, a step at a time; raise UnpackingError, with all that came before it kept."""
        for piece in self._unpack(data, 0):
            if piece:
                self._content.write(piece)
                self._count(piece, len(self._stages))
            if self._work >= STEP_BYTES:
                self._work = 0
                yield

    def drop(self) -> None:
        """Drop the unpacked bytes, which an error's traceback would keep."""
        self._content = io.BytesIO()

    def finish(self) -> None:
        """Raise UnpackingError when the body ends too early."""
        for stage in self._stages:
            stage.finish()

    def _unpack(self, data: bytes, index: int) -> Iterator[bytes]:
        if index == len(self._stages) or not data:
            yield data
            return
        for start in range(0, len(data), _SLICE_BYTES):
            given = data[start : start + _SLICE_BYTES]
            self._work += len(given)
            for piece in self._stages[index].feed(given):
                self._work += max(len(piece), _PIECE_COST)
                if index + 1 < len(self._stages):
                    self._count(piece, index)
                yield from self._unpack(piece, index + 1)

    def _count(self, piece: bytes, index: int) -> None:
        self._sizes[index] += len(piece)
        if self._sizes[index] > self._limit_bytes:
            raise OverLimitError(self._limit_bytes)


def find_unknown(headers: Sequence[str]) -> str | None:
    """Return the encoding for which a body was left as it is, if there is one."""
    names = _list_names(headers)
    left = names[: len(names) - len(_list_known(headers))]
    return left[-1] if left else None


def _list_known(headers: Sequence[str]) -> list[str]:
    """Return the encodings that can be undone, in the order of application: the last ones, up to an unknown one."""
    names = _list_names(headers)
    for index in range(len(names), 0, -1):
        if names[index - 1] not in _STAGES or len(names) - index >= _MOST_STACKED:
            return names[index:]
    return names


def _list_names(headers: Sequence[str]) -> list[str]:
    names = [name.strip().lower() for header in headers for name in header.split(",")]
    return [name for name in names if name not in ("", "identity")]


class _Gzip:
    """One or more gzip members; what follows the last one is ignored, as browsers do."""

    window_bytes = 0

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP_BITS)
        self._has_begun = False
        self._held = b""
        """The first byte of what may be another member."""
        self._is_over = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        data = self._held + data
        self._held = b""
        while data and not self._is_over:
            if self._member.eof and not self._begin_another(data):
                return
            self._has_begun = True
            yield from _inflate(self._member, data)
            data = self._member.unused_data
            yield b""

    def finish(self) -> None:
        if self._has_begun and not self._member.eof:
            raise UnpackingError("it ends within a gzip member")

    def _begin_another(self, data: bytes) -> bool:
        if len(data) < len(_GZIP_MAGIC):
            self._held = data
            return False
        self._is_over = not data.startswith(_GZIP_MAGIC)
        self._member = self._member if self._is_over else zlib.decompressobj(_GZIP_BITS)
        return not self._is_over


class _Deflate:
    """A deflate stream, with zlib's header, as the standard says, or without, as many servers send it."""

    window_bytes = 0

    def __init__(self) -> None:
        self._stream: zlib._Decompress | None = None
        self._held = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._stream is None:
            data = self._held + data
            if len(data) < 2:
                self._held = data
                return
            self._stream = zlib.decompressobj(zlib.MAX_WBITS if _has_zlib_header(data) else -zlib.MAX_WBITS)
        if not self._stream.eof:
            yield from _inflate(self._stream, data)

    def finish(self) -> None:
        if self._held if self._stream is None else not self._stream.eof:
            raise UnpackingError("it ends within a deflate stream")


def _has_zlib_header(data: bytes) -> bool:
    return data[0] & 0x0F == 8 and int.from_bytes(data[:2], "big") % 31 == 0


def _inflate(stream: "zlib._Decompress", data: bytes) -> Iterator[bytes]:
    """Unpack up to the end of the data or of the stream; the latter's ``unused_data`` is the rest."""
    while True:
        try:
            piece = stream.decompress(data, _PIECE_BYTES)
        except zlib.error as error:
            raise UnpackingError(str(error)) from error
        if piece:
            yield piece
        data = stream.unconsumed_tail
        if stream.eof or (not data and len(piece) < _PIECE_BYTES):
            return


class _Brotli:
    """A Brotli stream."""

    window_bytes = 16 * 1024 * 1024

    def __init__(self) -> None:
        self._stream = brotli.Decompressor()
        self._has_begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._has_begun = True
        while not self._stream.is_finished():
            try:
                piece = self._stream.process(data, output_buffer_limit=_PIECE_BYTES)
            except brotli.error as error:
                raise UnpackingError(str(error)) from error
            if piece:
                yield piece
            data = b""
            if self._stream.can_accept_more_data() and len(piece) < _PIECE_BYTES:
                return

    def finish(self) -> None:
        if self._has_begun and not self._stream.is_finished():
            raise UnpackingError("it ends within a Brotli stream")


class _Zstandard:
    """One or more Zstandard frames."""

    window_bytes = 1 << _ZSTD_WINDOW_LOG

    def __init__(self) -> None:
        self._frame = ZstdDecompressor(options=_ZSTD_OPTIONS)
        self._has_begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._has_begun = True
        while data or not (self._frame.eof or self._frame.needs_input):
            if self._frame.eof:
                self._frame = ZstdDecompressor(options=_ZSTD_OPTIONS)
            try:
                piece = self._frame.decompress(data, _PIECE_BYTES)
            except ZstdError as error:
                raise UnpackingError(str(error)) from error
            yield piece
            data = self._frame.unused_data if self._frame.eof else b""

    def finish(self) -> None:
        if self._has_begun and not self._frame.eof:
            raise UnpackingError("it ends within a Zstandard frame")


_Stage: TypeAlias = _Gzip | _Deflate | _Brotli | _Zstandard
"""Undoes one encoding: ``feed`` yields short pieces, ``finish`` raises where more should have arrived.

``window_bytes`` is how much of its output it may keep.
"""
_STAGES: Final[Mapping[str, Callable[[], _Stage]]] = {
    "gzip": _Gzip,
    "x-gzip": _Gzip,
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": _Zstandard,
}
