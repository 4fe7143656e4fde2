"""Names are looked up side by side, however many of them nobody answers for."""

import socket
import threading
from typing import Any

import pytest

from app.net.addresses import AllowedNetworks
from app.net.guarded_connections import GuardedResolver
from app.net.loop import LoopThread
from tests.support.patience import LONGEST_SECONDS

FOUND = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 443))]


def test_name_whose_dns_is_silent_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()

    def look_up(host: bytes, *_: object) -> Any:
        if host.startswith(b"silent"):
            answers.wait(60)
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        return FOUND

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    loop = LoopThread("names")

    async def resolve(host: str) -> list[str]:
        return [found["host"] for found in await GuardedResolver(AllowedNetworks()).resolve(host, 443)]

    silent = [loop.submit(resolve(f"silent-{number}.example")) for number in range(40)]
    try:
        assert loop.submit(resolve("sound.example")).result(timeout=LONGEST_SECONDS) == ["8.8.8.8"]
        assert not any(lookup.done() for lookup in silent)
    finally:
        answers.set()
    assert [type(lookup.exception(timeout=LONGEST_SECONDS)) for lookup in silent] == [socket.gaierror] * 40
    loop.close()


def test_name_that_is_none_is_told_as_such() -> None:
    loop = LoopThread("names")

    async def resolve(host: str) -> Any:
        return await GuardedResolver(AllowedNetworks()).resolve(host, 443)

    for host in ("x" * 64 + ".example", "a..example"):
        with pytest.raises(socket.gaierror):
            loop.submit(resolve(host)).result(timeout=LONGEST_SECONDS)
    loop.close()
