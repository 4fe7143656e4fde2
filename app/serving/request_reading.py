"""Find out from its bytes whether a request is received completely.

A malformed request counts as complete: gunicorn's parser reads the same bytes and returns the error.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

LARGEST_HEAD: Final = 64 * 1024
_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*\r\n", re.IGNORECASE)
_ENCODED: Final = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding:[^\r\n]*chunked", re.IGNORECASE)
_EXPECTS: Final = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*(?=\r\n)", re.IGNORECASE)
_CHUNK_SIZE: Final = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;[^\r\n]*)?\r\n")
_LONGEST_CHUNK_LINE: Final = 8192


class Progress(Enum):
    """The received part of a request."""

    NOTHING = "nothing"
    HEAD = "head"
    """A part of its head."""
    BODY = "body"
    """Its head, and a part of its body."""
    WHOLE = "whole"
    """All of it, or enough to find it malformed."""
    CUT = "cut"
    """Its head, and a body over the limit: gunicorn answers without reading it."""


@dataclass(slots=True)
class RequestReading:
    """The bytes of one request, as they come."""

    largest_body: int
    buffer: bytearray
    expects_continue: bool = False
    """The client waits for 100 Continue; set once."""
    _head_size: int = 0
    _size: int | None = None
    """Of the whole request; None while it is unknown."""
    _chunks_read_to: int = 0
    _in_trailers: bool = False

    def feed(self, data: bytes | bytearray) -> Progress:
        """Add bytes; return the progress."""
        self.buffer += data
        return self.progress(searched=len(self.buffer) - len(data))

    def progress(self, searched: int = 0) -> Progress:
        """Return the progress; ``searched`` bytes of the head were searched before."""
        if not self.buffer:
            return Progress.NOTHING
        if not self._head_size and not self._find_head(searched):
            return Progress.WHOLE if len(self.buffer) > LARGEST_HEAD else Progress.HEAD
        if self._size is None:
            self._follow_chunks()
        if (self._size or len(self.buffer)) - self._head_size > self.largest_body:
            return Progress.CUT
        return Progress.WHOLE if self._size is not None and len(self.buffer) >= self._size else Progress.BODY

    def _find_head(self, searched: int) -> bool:
        while self.buffer.startswith(b"\r\n"):
            # Some clients end a body with a line too many.
            del self.buffer[:2]
        end = self.buffer.find(_HEAD_END, max(0, searched - len(_HEAD_END) + 1))
        if end < 0:
            return False
        self._head_size = end + len(_HEAD_END)
        head = bytes(self.buffer[: end + 2])
        if b"xpect:" in head and (expects := _EXPECTS.search(head)):
            # The worker answers it, and gunicorn must not a second time.
            self.expects_continue = True
            del self.buffer[expects.start() : expects.end()]
            self._head_size -= expects.end() - expects.start()
        if _CHUNKED.search(head):
            self._chunks_read_to = self._head_size
        elif _ENCODED.search(head):
            # Nothing says where it ends: gunicorn refuses it by its head, whatever its Content-Length.
            self._size = self._head_size
        else:
            length = _LENGTH.search(head)
            self._size = self._head_size + (int(length[1]) if length else 0)
        return True

    def _follow_chunks(self) -> None:
        while self._size is None and not self._in_trailers:
            end = self.buffer.find(b"\r\n", self._chunks_read_to, self._chunks_read_to + _LONGEST_CHUNK_LINE)
            if end < 0:
                if len(self.buffer) - self._chunks_read_to >= _LONGEST_CHUNK_LINE:
                    self._size = len(self.buffer)
                return
            line = _CHUNK_SIZE.fullmatch(self.buffer, self._chunks_read_to, end + 2)
            if line is None:
                self._size = len(self.buffer)
                return
            if not (size := int(line[1], 16)):
                self._in_trailers = True
                self._chunks_read_to = end
                break
            if end + 2 + size + 2 > len(self.buffer):
                return
            self._chunks_read_to = end + 2 + size + 2
        self._find_end()

    def _find_end(self) -> None:
        if not self._in_trailers or self._size is not None:
            return
        # The last chunk's own line end begins the empty line that ends the trailers.
        end = self.buffer.find(_HEAD_END, self._chunks_read_to)
        if end >= 0:
            self._size = end + len(_HEAD_END)
        elif len(self.buffer) - self._chunks_read_to > LARGEST_HEAD:
            self._size = len(self.buffer)
