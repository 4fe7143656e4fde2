"""Read bodies without blocking the event loop: small ones at once, large ones in processes that can be ended.

A C decoder holds the interpreter's lock for as long as it takes, so that a thread would not help. A process is started
on demand, reads one body after another, and ends after a while without any; its result is assembled piece by piece. A
few work at a time, some for short bodies and some for long ones, in turn over the accounts.
"""

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import orjson

import app
from app.engine.integrations.answer_format import AnswerFormat
from app.engine.json_types import JSON
from app.sources.reading import documents, frames
from app.sources.reading.documents import Document, Grow, NotReadError, Reader, UnreadableError
from app.sources.reading.frames import Job, Outcome
from app.sources.reading.memory import PER_DECODED_BYTE
from app.sources.reading.pieces import Assembly, Piece, PieceKind
from app.sources.reading.turns import Turns

T = TypeVar("T")

_MOST_OF_A_KIND: Final = 2
_SHORT_BYTES: Final = 1024 * 1024
"""A body up to this is read within seconds, and does not wait for those that take longer."""
_UNNOTICED_BYTES: Final = 4096
_THREADS: Final = 2
_IDLE_SECONDS: Final = 30.0
_KEPT_BYTES: Final = 16 * 1024 * 1024
"""A process that has read a larger body is not kept, since it would keep the memory."""
_CHUNK_BYTES: Final = 256 * 1024
_MEGABYTE: Final = 1024 * 1024
_LEAST_CPU_SECONDS: Final = 10
_CPU_SECONDS_PER_MEGABYTE: Final = 0.5
_LEAST_MEMORY_BYTES: Final = 256 * _MEGABYTE
_MEMORY_PER_BYTE: Final = 24

_OUTCOMES: Final = frozenset(outcome.value for outcome in Outcome)


class ReadingProcesses:
    """Reads the bodies of one event loop."""

    def __init__(self) -> None:
        self._idle: list[_Process] = []
        self._at_once, self._short, self._long = Turns(1), Turns(_MOST_OF_A_KIND), Turns(_MOST_OF_A_KIND)
        # A few only: each may hold the interpreter's lock for a moment before the loop runs again.
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="ferryman-answers")
        self._aside = Turns(_THREADS)

    def of(self, account_id: str) -> Reader:
        """Return the reader of an account."""
        return _AccountReader(self, account_id)

    async def read(
        self, body: bytes, charset: str | None, form: AnswerFormat, grow: Grow, *, account_id: str
    ) -> Document:
        """Read a body in any format but ``auto``; raise UnreadableError or NotReadError."""
        document = await self._read_at_once(body, charset, form, account_id)
        if document is not None:
            return document
        job = Job(
            charset=charset,
            form=form,
            cpu_seconds=_LEAST_CPU_SECONDS + int(len(body) / _MEGABYTE * _CPU_SECONDS_PER_MEGABYTE),
            memory_bytes=_LEAST_MEMORY_BYTES + _MEMORY_PER_BYTE * len(body),
        )
        # Before it takes a turn: a task that has one must not wait for what another task has.
        await grow(PER_DECODED_BYTE * len(body))
        turns = self._short if len(body) <= _SHORT_BYTES else self._long
        async with turns.of(account_id):
            return await self._read_apart(job, body)

    async def run_aside(self, function: Callable[[], T], *, account_id: str) -> T:
        """Run a long function in a thread."""
        await self._aside.take(account_id)
        work = self._threads.submit(function)
        # The caller may be cancelled before the thread is free.
        work.add_done_callback(partial(_call_on, asyncio.get_running_loop(), self._aside.give_back))
        return await asyncio.wrap_future(work)

    def close(self) -> None:
        """End all idle processes; those at work end with the task that awaits them."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        while self._idle:
            self._idle.pop().end()

    async def _read_at_once(
        self, body: bytes, charset: str | None, form: AnswerFormat, account_id: str
    ) -> Document | None:
        if len(body) <= _UNNOTICED_BYTES or len(body) > documents.STRICT_AT_ONCE_BYTES:
            return documents.read_at_once(body, charset, form)
        async with self._at_once.of(account_id):
            # Other tasks run between any two answers, however many have come at once.
            await asyncio.sleep(0)
            return documents.read_at_once(body, charset, form)

    async def _read_apart(self, job: Job, body: bytes) -> Document:
        process = await self._take()
        is_whole = False
        try:
            document = await process.read(job, body)
            is_whole = True
        except UnreadableError:
            is_whole = True
            raise
        except (OSError, asyncio.IncompleteReadError):
            raise _describe_end(job, await process.status()) from None
        finally:
            self._give_back(process, is_whole=is_whole and len(body) <= _KEPT_BYTES)
        return document

    async def _take(self) -> "_Process":
        while self._idle:
            process = self._idle.pop()
            if process.is_ready():
                return process
            process.end()
        return await _start_process()

    def _give_back(self, process: "_Process", *, is_whole: bool) -> None:
        if not is_whole:
            process.end()
            return
        self._idle.append(process)
        process.idle = asyncio.get_running_loop().call_later(_IDLE_SECONDS, self._retire, process)

    def _retire(self, process: "_Process") -> None:
        if process in self._idle:
            self._idle.remove(process)
            process.end()


class _AccountReader:
    """Reads the bodies of one account."""

    def __init__(self, processes: ReadingProcesses, account_id: str) -> None:
        self._processes = processes
        self._account_id = account_id

    async def read(self, body: bytes, charset: str | None, form: AnswerFormat, grow: Grow) -> Document:
        """Read a body; raise UnreadableError or NotReadError."""
        return await self._processes.read(body, charset, form, grow, account_id=self._account_id)

    async def run_aside(self, function: Callable[[], T]) -> T:
        """Run a long function."""
        return await self._processes.run_aside(function, account_id=self._account_id)


def _call_on(loop: asyncio.AbstractEventLoop, act: Callable[[], None], _: "Future[Any]") -> None:
    # The loop may be closed.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(act)


class _Process:
    """One process, and the socket to it."""

    def __init__(
        self, child: "subprocess.Popen[bytes]", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._child = child
        self._reader = reader
        self._writer = writer
        self.idle: asyncio.TimerHandle | None = None
        """Ends it after it was idle."""

    def is_ready(self) -> bool:
        """Whether it runs and waits for work."""
        if self.idle is not None:
            self.idle.cancel()
        return self._child.poll() is None and not self._reader.at_eof()

    async def read(self, job: Job, body: bytes) -> Document:
        """Read a body; raise UnreadableError, NotReadError, or OSError and IncompleteReadError when it has ended."""
        assembly = Assembly()
        sending = asyncio.ensure_future(self._send(job, body))
        try:
            while True:
                kind, content = await self._frame()
                if kind in _OUTCOMES:
                    return _read_outcome(job, Outcome(kind), content, assembly.value)
                assembly.add(Piece(PieceKind(kind), content))
                await asyncio.sleep(0)
        finally:
            sending.cancel()

    async def status(self) -> int:
        """Wait until it has ended; return the signal that ended it, negative, or its status."""
        self._child.kill()
        return await asyncio.to_thread(self._child.wait)

    def end(self) -> None:
        """End it."""
        self._writer.transport.abort()
        self._child.kill()
        # The loop does not wait for its end.
        asyncio.get_running_loop().run_in_executor(None, self._child.wait)

    async def _send(self, job: Job, body: bytes) -> None:
        head = job.to_bytes()
        view = memoryview(body)
        # Reading from a closed socket raises.
        with suppress(OSError):
            self._writer.write(frames.encode_length(head) + head + frames.encode_length(body))
            for start in range(0, len(body), _CHUNK_BYTES):
                self._writer.write(view[start : start + _CHUNK_BYTES])
                await self._writer.drain()
                await asyncio.sleep(0)

    async def _frame(self) -> tuple[bytes, bytes]:
        head = await self._reader.readexactly(frames.HEAD_BYTES)
        content = await self._reader.readexactly(int.from_bytes(head[: frames.LENGTH_BYTES], "big"))
        return head[frames.LENGTH_BYTES :], content


async def _start_process() -> _Process:
    """Start a process that shares only the code with this one: not its environment, not its directory."""
    ours, theirs = socket.socketpair()
    with theirs:
        code = str(Path(app.__file__).parent.parent)
        child = subprocess.Popen(  # noqa: S603  # nothing of it is from outside
            [sys.executable, "-P", "-s", "-m", "app.sources.reading.process", str(theirs.fileno())],
            cwd="/",
            env={"PYTHONPATH": code},
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    reader, writer = await asyncio.open_connection(sock=ours, limit=_CHUNK_BYTES)
    return _Process(child, reader, writer)


def _read_outcome(job: Job, outcome: Outcome, content: bytes, value: JSON) -> Document:
    match outcome:
        case Outcome.DONE:
            return Document(value, orjson.loads(content))
        case Outcome.UNREADABLE:
            reason, is_passing = orjson.loads(content)
            raise UnreadableError(reason, is_passing=is_passing)
        case Outcome.NO_MEMORY:
            raise _too_large_error(job)


def _describe_end(job: Job, status: int) -> NotReadError:
    match -status:
        case signal.SIGXCPU:
            return _too_slow_error(job)
        case signal.SIGSEGV | signal.SIGABRT | signal.SIGBUS:
            # What a library in C does without memory.
            return _too_large_error(job)
        case _:
            return NotReadError("disconnected", f"the process that read it ended ({status})", is_passing=True)


def _too_slow_error(job: Job) -> NotReadError:
    return NotReadError("too_slow_to_read", f"to read it takes more than {job.cpu_seconds} s of computing")


def _too_large_error(job: Job) -> NotReadError:
    return NotReadError("too_large", f"to read it takes more than {job.memory_bytes // _MEGABYTE} MiB of memory")
