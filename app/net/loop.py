"""One asyncio event loop in a thread of its own per process, for callers that live in other threads."""

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")


class LoopThread:
    """Runs coroutines; started at first use, and again after a fork, where the parent's thread does not exist."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = 0

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> "Future[T]":
        """Begin to run a coroutine; cancelling the future cancels it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._start_loop())

    def call_soon(self, function: Callable[[], object]) -> None:
        """Call a function on the loop, from any thread."""
        self._start_loop().call_soon_threadsafe(function)

    def close(self) -> None:
        """Stop the loop; a later submit starts a new one."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is not None and self._pid == os.getpid():
            loop.call_soon_threadsafe(loop.stop)

    def _start_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None or self._pid != os.getpid():
                self._loop = uvloop.new_event_loop()
                self._pid = os.getpid()
                threading.Thread(target=_run, args=(self._loop,), name=self._name, daemon=True).start()
            return self._loop


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()
