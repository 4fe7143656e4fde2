"""A DNS for the clients that Ferryman has of its own."""

import socket

import pytest
from aiohttp.abc import ResolveResult
from aiohttp.resolver import ThreadedResolver


def resolve_all_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Have every name lead to some IPv4 addresses; without any, none is known."""

    async def resolve(_: ThreadedResolver, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, f"no such name: {host}")
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=socket.AF_INET, proto=6, flags=socket.AI_NUMERICHOST
            )
            for address in addresses
        ]

    monkeypatch.setattr(ThreadedResolver, "resolve", resolve)
