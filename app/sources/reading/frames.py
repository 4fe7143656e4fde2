"""What goes over the socket between a process and the one that reads for it: frames of a length and bytes."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

import orjson

from app.engine.integrations.answer_format import AnswerFormat

LENGTH_BYTES: Final = 4
HEAD_BYTES: Final = 5
"""Of a frame that comes back: its length, and what it is."""


class Outcome(Enum):
    """How a reading ended; it is what the last frame is; all others are pieces."""

    DONE = b"."
    """The content is the number of characters that could not be read."""
    UNREADABLE = b"!"
    """The content is the reason, as an array: the words, and whether the next body may be whole."""
    NO_MEMORY = b"m"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One body to read; its bytes follow in a frame of their own."""

    charset: str | None
    form: AnswerFormat
    cpu_seconds: int
    memory_bytes: int

    def to_bytes(self) -> bytes:
        """Write the job."""
        return orjson.dumps([self.charset, self.form.value, self.cpu_seconds, self.memory_bytes])

    @classmethod
    def from_bytes(cls, content: bytes) -> "Job":
        """Read what ``to_bytes`` wrote."""
        charset, form, cpu_seconds, memory_bytes = orjson.loads(content)
        return cls(charset=charset, form=AnswerFormat(form), cpu_seconds=cpu_seconds, memory_bytes=memory_bytes)


def encode_length(content: bytes) -> bytes:
    """Write the length of a frame."""
    return len(content).to_bytes(LENGTH_BYTES, "big")
