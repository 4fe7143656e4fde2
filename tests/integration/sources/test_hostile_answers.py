"""Answers that are made to stop a process: whoever asks another upstream beside them is served meanwhile."""

import asyncio
import gzip
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import replace

import pytest

from app.engine.record_errors import SourceError
from app.services.ports import FetchedPage, PageCall
from app.sources.http_source import HttpSource
from tests.integration.sources.raw_upstream import SETTINGS, Client, Upstream, reply

MIB = 1024 * 1024
LIMIT = 32 * MIB
LONGEST_GAP_SECONDS = 2.0
"""On a quiet machine some 0.1: main's loop stood still for as long as all of an attack took."""


def packed(body: bytes, content_type: str) -> bytes:
    return reply(raw=gzip.compress(body, 1), headers={"Content-Type": content_type, "Content-Encoding": "gzip"})


ATTACKS: dict[str, tuple[int, bytes]] = {
    "a charset that is not linear": (
        2,
        packed(b'["' + b"a" * (MIB // 2) + b'"]', "application/json; charset=punycode"),
    ),
    "errors in a charset": (2, packed(b'["' + b"\xff" * (MIB // 4) + b'"]', "application/json; charset=cp1253")),
    "XML": (4, packed(b"<all>" + b"<a/>" * (MIB // 16) + b"</all>", "application/xml")),
    "lines": (2, packed(b"1\n" * (MIB // 8), "application/x-ndjson")),
    "JSON": (2, packed(b"[" + b'{"id":1},' * (MIB // 4) + b'{"id":2}]', "application/json")),
    "JSON that is not strict": (2, packed(b"[" + b"1.1," * (MIB // 8) + b"NaN]", "application/json")),
    "bombs": (12, packed(b" " * (LIMIT + 1), "application/json")),
    "many tiny members": (2, reply(raw=gzip.compress(b"") * 20_000, headers={"Content-Encoding": "gzip"})),
}


class Heartbeat:
    """Measures how long a source's loop stands still at most, by this process's own time: others may have the cores."""

    def __init__(self, source: HttpSource) -> None:
        self.longest = 0.0
        self._beating = source._transport.run(self._beat())

    async def _beat(self) -> None:
        last = time.process_time()
        while True:
            await asyncio.sleep(0.005)
            now = time.process_time()
            self.longest, last = max(self.longest, now - last), now

    def stop(self) -> float:
        self._beating.cancel()
        return self.longest


def opened_source() -> HttpSource:
    return HttpSource(
        replace(SETTINGS, response_limit_bytes=LIMIT, answers_memory_bytes=3 * LIMIT, request_timeout_seconds=60)
    )


@pytest.fixture
def source() -> Iterator[HttpSource]:
    http_source = opened_source()
    yield http_source
    http_source.close()


@pytest.fixture
def victim() -> Iterator[Upstream]:
    server = Upstream()
    server.answer = lambda _: reply([{"id": 1}])
    yield server
    server.close()


def attacked(client: Client, count: int) -> list["Future[FetchedPage]"]:
    call = PageCall(account_id="evil", config=client.config(), context={}, resource="things", method="list")
    return [client.source.submit(replace(call, account_id=f"evil {number}")) for number in range(count)]


@pytest.mark.parametrize("name", ATTACKS)
def test_another_account_is_served_beside_an_attack(
    name: str, client: Client, upstream: Upstream, victim: Upstream
) -> None:
    count, answer = ATTACKS[name]
    upstream.answer = lambda _: answer
    other = Client(client.source, victim.url)
    other.fetch()
    heartbeat = Heartbeat(client.source)

    attack = attacked(client, count)
    served = 0
    while served < 5 or not wait(attack, timeout=0.02, return_when=FIRST_COMPLETED).done:
        assert other.fetch(account_id="good").records == [{"id": 1}]
        served += 1

    assert heartbeat.stop() < LONGEST_GAP_SECONDS
    for one in attack:
        if not one.cancel():
            assert isinstance(one.exception(), SourceError | None)


def test_bombs_end_by_their_error_within_the_budget(client: Client, upstream: Upstream) -> None:
    upstream.answer = lambda _: ATTACKS["bombs"][1]

    attack = attacked(client, 12)

    faults = [one.exception(timeout=120) for one in attack]
    assert {fault.code for fault in faults if isinstance(fault, SourceError)} == {"too_large"}
    (pool,) = client.source._transport._pools.values()
    assert LIMIT < pool.memory.peak_bytes <= 3 * LIMIT
    assert pool.memory.held_bytes == 0


def test_bombs_take_no_more_memory_than_the_budget(upstream: Upstream) -> None:
    upstream.answer = lambda _: ATTACKS["bombs"][1]
    program = f"""
import resource, sys
sys.path[:0] = {sys.path!r}
from tests.integration.sources.test_hostile_answers import attacked, opened_source
from tests.integration.sources.raw_upstream import Client

source = opened_source()
client = Client(source, {upstream.url!r})
attacked(client, 1)[0].exception()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
codes = {{one.exception().code for one in attacked(client, 12)}}
source.close()
print(codes, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    codes, added_kib = ended.stdout.rsplit(maxsplit=1)
    assert codes == "{'too_large'}"
    # Twelve that are held whole would be twelve times the limit.
    assert int(added_kib) * 1024 < 4 * LIMIT
