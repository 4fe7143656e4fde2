"""Connections of aiohttp that lead only where they may: every address is checked when it is connected to.

A check of names or URLs alone could be deceived: by a name that resolves to another address the next moment, by a
redirect, by the many ways to write an address. Here both the answers of DNS and the address of each new socket are
checked; a connection that is kept alive was checked when it was made.
"""

import asyncio
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, Final, TypeVar

import aiohttp
from aiohappyeyeballs import AddrInfoType, SocketFactoryType
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from app.net.addresses import ALLOWED_NETWORKS_SETTING, AllowedNetworks

DNS_CACHE_SECONDS: Final = 60


class BlockedAddressError(OSError):
    """A host resolves to an address that may not be connected to."""

    def __init__(self, host: str) -> None:
        self.host = host
        super().__init__(explain_block(host))


def explain_block(host: str) -> str:
    """Explain why a host is not connected to, and what would allow it; its address is not shown: names are probes."""
    return f"the host '{host}' leads to an address that is not public, and {ALLOWED_NETWORKS_SETTING} does not list it"


def make_connector(allowed: AllowedNetworks, *, limit: int) -> aiohttp.TCPConnector:
    """Make the connector of a client session."""
    return aiohttp.TCPConnector(
        limit=limit,
        ttl_dns_cache=DNS_CACHE_SECONDS,
        resolver=GuardedResolver(allowed),
        socket_factory=_make_socket_factory(allowed),
    )


def find_block_error(error: BaseException) -> BlockedAddressError | None:
    """Find the refusal within an exception of aiohttp's."""
    cause = getattr(error, "os_error", error)
    return cause if isinstance(cause, BlockedAddressError) else None


class GuardedResolver(AbstractResolver):
    """Resolves names to the addresses that may be connected to."""

    def __init__(self, allowed: AllowedNetworks, inner: AbstractResolver | None = None) -> None:
        self._allowed = allowed
        self._inner = inner or make_resolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Resolve a name; raise BlockedAddressError when nothing is left of its addresses."""
        found = await self._inner.resolve(host, port, family)
        usable = [result for result in found if self._allowed.is_allowed(result["host"])]
        if found and not usable:
            raise BlockedAddressError(host)
        return usable

    async def close(self) -> None:
        """Close the resolver within."""
        await self._inner.close()


def _make_socket_factory(allowed: AllowedNetworks) -> SocketFactoryType:
    def make(address_info: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = address_info
        if not allowed.is_allowed(str(address[0])):
            raise BlockedAddressError(str(address[0]))
        return socket.socket(family=family, type=kind, proto=protocol)

    return make


T = TypeVar("T")


def make_resolver() -> ThreadedResolver:
    """Make what looks names up for connections of the running event loop."""
    return ThreadedResolver(_Lookups())  # type: ignore[arg-type]  # of a loop it uses these two alone


class _Lookups:
    """The two methods of an event loop that look up."""

    async def getaddrinfo(self, host: str, port: int, *, family: int, type: int, flags: int) -> Any:
        """Find the addresses of a name."""
        # As bytes, or Python reads it once more by its rules for international names.
        name = host.encode() if host.isascii() else host
        return await _run_in_thread(partial(socket.getaddrinfo, name, port, family, type, 0, flags))

    async def getnameinfo(self, address: Any, flags: int) -> tuple[str, str]:
        """Write an address."""
        return await _run_in_thread(partial(socket.getnameinfo, address, flags))


async def _run_in_thread(ask: Callable[[], T]) -> T:
    future: Future[T] = Future()

    def answer() -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            found = ask()
        except Exception as error:  # It belongs to the caller that waits.
            future.set_exception(error)
        else:
            future.set_result(found)

    # One that does not come back must not keep the process from ending.
    threading.Thread(target=answer, name="ferryman-names", daemon=True).start()
    return await asyncio.wrap_future(future)
