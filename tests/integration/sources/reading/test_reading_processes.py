"""Large bodies, read by processes of their own: the same documents and faults, within bounds."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from app.engine.integrations.answer_format import AnswerFormat
from app.sources.reading import documents, processes
from app.sources.reading.documents import AT_ONCE_BYTES, NotReadError, UnreadableError
from app.sources.reading.processes import ReadingProcesses
from tests.support.patience import wait_for

KIB = 1024
RECORDS = [{"id": id, "name": f"n\u00e9 {id}", "of": [id, None, 1.5]} for id in range(3000)]
TEXT = json.dumps({"data": RECORDS}, ensure_ascii=False)
XML = "<all>" + "<one id='1'><name>n\u00e9</name></one>" * 3000 + "</all>"

BODIES: dict[str, tuple[bytes, str | None, AnswerFormat]] = {
    "beyond the bound": (json.dumps(RECORDS * 12).encode(), None, AnswerFormat.JSON),
    "lenient": (TEXT.replace("1.5", "NaN").encode(), None, AnswerFormat.JSON),
    "long integers": (json.dumps([10**30] * 3000).encode(), None, AnswerFormat.JSON),
    "another charset": (TEXT.encode("cp1252"), "cp1252", AnswerFormat.JSON),
    "UTF-16": (TEXT.encode("utf-16"), None, AnswerFormat.JSON),
    "errors in a charset": (TEXT.encode("latin1"), None, AnswerFormat.JSON),
    "many lines that are not strict": (b"NaN\n" * 16_000, None, AnswerFormat.NDJSON),
    "many lines": (b"[1]\n" * 20_000, None, AnswerFormat.NDJSON),
    "XML": (XML.encode(), None, AnswerFormat.XML),
}
FAULTS: dict[str, tuple[bytes, str | None, AnswerFormat]] = {
    "no JSON": (TEXT[:-1].encode(), None, AnswerFormat.JSON),
    "HTML": (b"<html>" + b" " * AT_ONCE_BYTES, None, AnswerFormat.JSON),
    "nested too deeply": (b"[" * AT_ONCE_BYTES * 2, None, AnswerFormat.JSON),
    "an unknown charset": (b"[" + b'"\xff",' * AT_ONCE_BYTES, "ebcdic", AnswerFormat.JSON),
    "a line that is no JSON": (b"[1]\n" * 20_000 + b"]\n", None, AnswerFormat.NDJSON),
    "a document type": (b"<!DOCTYPE x>" + XML.encode(), None, AnswerFormat.XML),
    "XML that is cut": (XML[:-9].encode(), None, AnswerFormat.XML),
}
SLOW = (b"1\n" * 12_000_000, None, AnswerFormat.NDJSON)


async def free(_bytes: int) -> None:
    """Reserve nothing."""


@asynccontextmanager
async def opened() -> AsyncIterator[ReadingProcesses]:
    reader = ReadingProcesses()
    yield reader
    reader.close()


async def read(reader: ReadingProcesses, body: tuple[bytes, str | None, AnswerFormat]) -> Any:
    return await reader.read(*body, free, account_id="any")


def children() -> set[int]:
    """Find this process's readers; one that has ended has no command any more."""
    found = set()
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            status = (place / "status").read_text()
            if f"PPid:\t{os.getpid()}\n" in status and "reading.process" in (place / "cmdline").read_text():
                found.add(int(place.name))
    return found


def test_a_large_body_is_read_apart_to_the_same_document() -> None:
    async def scenario() -> None:
        async with opened() as reader:
            for name, body in BODIES.items():
                assert documents.read_at_once(*body) is None, name
                assert await read(reader, body) == documents.read(*body), name
            # All by one process, one after the other.
            assert len(children()) == 1

    asyncio.run(scenario())
    wait_for(lambda: not children())


def test_a_large_body_that_can_not_be_read_is_told_as_a_small_one() -> None:
    async def scenario() -> None:
        async with opened() as reader:
            for name, body in FAULTS.items():
                with pytest.raises(UnreadableError) as in_place:
                    documents.read(*body)
                with pytest.raises(UnreadableError) as apart:
                    await read(reader, body)
                told = [(fault.value.reason, fault.value.is_passing) for fault in (apart, in_place)]
                assert told[0] == told[1], name

    asyncio.run(scenario())


def test_a_page_of_strict_json_is_read_where_it_is() -> None:
    async def scenario() -> None:
        async with opened() as reader:
            for body in (TEXT.encode(), b"\xef\xbb\xbf" + TEXT.encode()):
                assert (await read(reader, (body, "utf-8", AnswerFormat.JSON))).value == {"data": RECORDS}
            lines = "\n".join(map(json.dumps, RECORDS)).encode()
            assert (await read(reader, (lines, None, AnswerFormat.NDJSON))).value == RECORDS
            assert children() == set()

    asyncio.run(scenario())


def test_what_takes_too_long_is_ended_and_the_next_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_LEAST_CPU_SECONDS", 1)
    monkeypatch.setattr(processes, "_CPU_SECONDS_PER_MEGABYTE", 0)

    async def scenario() -> None:
        async with opened() as reader:
            with pytest.raises(NotReadError, match="takes more than 1 s of computing") as caught:
                await read(reader, SLOW)
            assert (caught.value.code, caught.value.is_passing) == ("too_slow_to_read", False)
            assert (await read(reader, BODIES["UTF-16"])).value == {"data": RECORDS}

    asyncio.run(scenario())


def test_what_takes_too_much_memory_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_LEAST_MEMORY_BYTES", 64 * 1024 * KIB)
    monkeypatch.setattr(processes, "_MEMORY_PER_BYTE", 0)

    async def scenario() -> None:
        async with opened() as reader:
            with pytest.raises(NotReadError, match="takes more than 64 MiB of memory") as caught:
                await read(reader, (b"<r>" + b"<a b='c'/>" * 500_000 + b"</r>", None, AnswerFormat.XML))
            assert (caught.value.code, caught.value.is_passing) == ("too_large", False)

    asyncio.run(scenario())


def test_a_process_that_is_killed_is_told_as_passing_and_replaced() -> None:
    async def scenario() -> None:
        async with opened() as reader:
            reading = asyncio.ensure_future(read(reader, SLOW))
            while not children():
                await asyncio.sleep(0.01)
            for pid in children():
                os.kill(pid, signal.SIGKILL)
            with pytest.raises(NotReadError) as caught:
                await reading
            assert (caught.value.code, caught.value.is_passing) == ("disconnected", True)

            await read(reader, BODIES["XML"])
            (pid,) = children()
            os.kill(pid, signal.SIGKILL)
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
            assert (await read(reader, BODIES["UTF-16"])).value == {"data": RECORDS}

    asyncio.run(scenario())


def test_one_that_nobody_waits_for_any_more_is_ended() -> None:
    async def scenario() -> None:
        async with opened() as reader:
            reading = asyncio.ensure_future(read(reader, SLOW))
            while not children():
                await asyncio.sleep(0.01)
            reading.cancel()
            await asyncio.wait([reading])

    asyncio.run(scenario())
    wait_for(lambda: not children())


def test_an_idle_process_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_IDLE_SECONDS", 0.01)

    async def scenario() -> None:
        async with opened() as reader:
            await read(reader, BODIES["UTF-16"])
            while children():
                await asyncio.sleep(0.01)

    asyncio.run(scenario())


def test_a_process_knows_no_secret_and_loads_nothing_but_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FERRYMAN_ENCRYPTION_KEY", "s3cret")

    async def scenario() -> bytes:
        async with opened() as reader:
            await read(reader, BODIES["UTF-16"])
            (pid,) = children()
            assert len(list(Path(f"/proc/{pid}/fd").iterdir())) <= 5
            return Path(f"/proc/{pid}/environ").read_bytes()

    environment = asyncio.run(scenario())
    assert environment.startswith(b"PYTHONPATH=") and environment.count(b"=") == 1
    loaded = "import sys, app.sources.reading.process; print(*sys.modules)"
    names = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True).stdout.split()
    assert not {"aiohttp", "sqlalchemy", "jlens", "asyncio", "app.settings"} & set(names)


def test_a_process_ends_with_the_one_that_started_it() -> None:
    program = f"""
import asyncio, os, sys
sys.path[:0] = {sys.path!r}
from tests.integration.sources.reading.test_reading_processes import children
from app.engine.integrations.answer_format import AnswerFormat
from app.sources.reading.processes import ReadingProcesses
from tests.support.patience import wait_for

async def free(_): pass

async def main():
    await ReadingProcesses().read(b"[1]\\n" * 20_000, None, AnswerFormat.NDJSON, free, account_id="any")
    print(*children(), flush=True)
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""
    ended = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    (pid,) = ended.stdout.split()

    assert ended.returncode == -signal.SIGKILL
    wait_for(lambda: not Path(f"/proc/{pid}").exists() or ") Z " in Path(f"/proc/{pid}/stat").read_text())
