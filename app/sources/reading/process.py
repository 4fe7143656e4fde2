"""The program that reads large answers for another process: ``python -m app.sources.reading.process DESCRIPTOR``.

It receives bodies over a socket and nothing else: no environment, no setting, no secret. It ends with the socket.
"""

import gc
import os
import resource
import socket
import sys
from typing import BinaryIO, Final

import orjson

from app import interpreter
from app.sources.reading import documents, pieces
from app.sources.reading.documents import UnreadableError
from app.sources.reading.frames import LENGTH_BYTES, Job, Outcome, encode_length

_NICENESS: Final = 10
"""Large answers can wait; the processes that serve others go first."""


def main(descriptor: int) -> None:
    """Read one body after another until the socket is closed."""
    os.nice(_NICENESS)
    interpreter.raise_recursion_limit()
    # Documents hold no cycles.
    gc.disable()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with socket.socket(fileno=descriptor) as end, end.makefile("rb") as source, end.makefile("wb") as sink:
        while (head := _read_frame(source)) is not None and (body := _read_frame(source)) is not None:
            job = Job.from_bytes(head)
            _limit(job)
            _answer(sink, job, body)
            del body


def _limit(job: Job) -> None:
    """Make the kernel end this process, or refuse it memory, where the job exceeds its limits."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    cpu_seconds = int(spent.ru_utime + spent.ru_stime) + 1 + job.cpu_seconds
    for limit, value in ((resource.RLIMIT_CPU, cpu_seconds), (resource.RLIMIT_AS, job.memory_bytes)):
        _, hard = resource.getrlimit(limit)
        resource.setrlimit(limit, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _answer(sink: BinaryIO, job: Job, body: bytes) -> None:
    outcome, content = Outcome.DONE, b""
    try:
        document = documents.read(body, job.charset, job.form)
        for piece in pieces.cut(document.value):
            _write(sink, piece.kind.value, piece.content)
        content = orjson.dumps(document.replaced)
    except UnreadableError as error:
        outcome, content = Outcome.UNREADABLE, orjson.dumps([error.reason, error.is_passing])
    except MemoryError:
        outcome = Outcome.NO_MEMORY
    _write(sink, outcome.value, content)
    sink.flush()


def _write(sink: BinaryIO, kind: bytes, content: bytes) -> None:
    sink.write(encode_length(content) + kind)
    sink.write(content)


def _read_frame(source: BinaryIO) -> bytes | None:
    """Take the next frame; None at the end."""
    head = source.read(LENGTH_BYTES)
    length = int.from_bytes(head, "big")
    content = source.read(length)
    return content if len(head) == LENGTH_BYTES and len(content) == length else None


if __name__ == "__main__":
    main(int(sys.argv[1]))
