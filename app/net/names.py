"""Look names up, each in a thread of its own: one whose DNS does not answer holds up no other.

uvloop asks by the threads of libuv, of which two at most look names up, for all loops of a process together. Two
receivers whose name servers are silent, for ten seconds and more at each attempt, so kept all others from being found.
Who asks is bounded already, by the connections that it may have; and what was found is kept for a minute.
"""

import asyncio
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

from aiohttp.resolver import ThreadedResolver

T = TypeVar("T")


def resolver() -> ThreadedResolver:
    """Make what looks names up for connections of the running event loop."""
    return ThreadedResolver(_Lookups())  # type: ignore[arg-type]  # of a loop it uses these two alone


class _Lookups:
    """The two methods of an event loop that look up."""

    async def getaddrinfo(self, host: str, port: int, *, family: int, type: int, flags: int) -> Any:
        """Find the addresses of a name."""
        # As bytes, or Python reads it once more by its rules for international names.
        name = host.encode() if host.isascii() else host
        return await _in_thread(partial(socket.getaddrinfo, name, port, family, type, 0, flags))

    async def getnameinfo(self, address: Any, flags: int) -> tuple[str, str]:
        """Write an address."""
        return await _in_thread(partial(socket.getnameinfo, address, flags))


async def _in_thread(ask: Callable[[], T]) -> T:
    future: Future[T] = Future()

    def answer() -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            found = ask()
        except Exception as error:  # It is for whoever waits.
            future.set_exception(error)
        else:
            future.set_result(found)

    # One that does not come back must not keep the process from ending.
    threading.Thread(target=answer, name="ferryman-names", daemon=True).start()
    return await asyncio.wrap_future(future)
