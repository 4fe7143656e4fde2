"""Pages of one list that are asked for before their turn: the next ones, side by side, each kept until it is its turn.

The list itself is read in order: what a page means, and where the list goes on, only the page before it tells. What was
asked for at a place where the list is not is dropped. All of it lives on the event loop of the source.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace

from app.engine.json_types import JsonObject
from app.services.ports import FetchedPage, PageCall
from app.sources.answers.answers import ReadAnswer
from app.sources.exchange.faults import RefusedError


@dataclass(slots=True)
class _Asked:
    """A page that was asked for."""

    task: "asyncio.Task[ReadAnswer]"
    witness: JsonObject | None
    """The last page that was taken in before it was asked for, where another one in front of it had not come yet."""


@dataclass(frozen=True, slots=True)
class Following:
    """A page that may be asked for."""

    place: str
    """Tells it from the list's other pages."""
    ask: Callable[[], Awaitable[ReadAnswer]]
    is_extra: bool = False
    """The list does not go on behind it, but where it went on before."""


class ReadAhead:
    """What a slice has asked for of one list."""

    def __init__(
        self,
        fetch: Callable[[PageCall, "ReadAhead"], "Future[FetchedPage]"],
        *,
        limit_bytes: int,
        call_soon: Callable[[Callable[[], object]], None],
    ) -> None:
        """``fetch`` begins to fetch a page, ``call_soon`` has the loop call a function."""
        self._fetch = fetch
        self.most = 1
        """Requests that may be under way at once, that of the next page among them; set from any thread."""
        self.is_ready = False
        """Whether the next page has come; may be read in any thread."""
        self._limit_bytes = limit_bytes
        self._call_soon = call_soon
        self._asked: dict[str, _Asked] = {}
        self._following: Iterator[Following] = iter(())
        self._depth = 0
        self._witness: JsonObject | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether a page was asked for whose turn has not come; callable from any thread."""
        return bool(self._asked)

    @property
    def depth(self) -> int:
        """How many pages are asked for side by side; it doubles as long as they come as expected."""
        return max(1, min(self._depth, self.most))

    def submit(self, call: PageCall) -> "Future[FetchedPage]":
        """Begin to fetch the list's next page, and ask for those behind it; callable from any thread."""
        return self._fetch(call, self)

    async def take(self, place: str, ask: Callable[[], Awaitable[ReadAnswer]]) -> ReadAnswer:
        """Return the answer to the request for a page, which is sent now unless it was sent ahead."""
        asked = self._asked.get(place)
        if asked is None:
            self._drop()
            return await ask()
        try:
            answer = await asked.task
        except RefusedError:
            if asked.witness is None:
                raise
            # It may have been asked for too early.
            self._drop()
            return await ask()
        finally:
            # Not before it has come: the others were asked for ahead of it.
            self._asked.pop(place, None)
            self._look()
        self._depth += 1
        return replace(answer, page=replace(answer.page, witness=asked.witness)) if asked.witness else answer

    def go_on(self, following: Callable[[int], Iterator[Following]], *, pages: int, witness: JsonObject | None) -> None:
        """Ask for the pages behind the one whose turn it was.

        ``following`` gives them up to a depth, ``pages`` is how many the list has had, ``witness`` what is kept of the
        page.
        """
        self._witness = witness or self._witness
        self._depth = self._depth or max(1, pages)
        self._following = following(self.depth)
        expected = next(self._following, None)
        if expected is not None and expected.place not in self._asked:
            if self._asked and not expected.is_extra:
                self._drop()
                self._depth = 1
            if self.most or self._asked:
                # What has come already waits for it.
                self._send(expected)
        self._fill()
        self._look()

    def close(self) -> None:
        """Drop everything that was asked for; callable from any thread."""
        self._following = iter(())
        if self._asked:
            self._call_soon(self._drop)

    def _drop(self) -> None:
        dropped, self._asked, self.is_ready = self._asked, {}, False
        for asked in dropped.values():
            asked.task.cancel()

    def _fill(self) -> None:
        while self._has_room() and (following := next(self._following, None)):
            if following.place not in self._asked:
                self._send(following)

    def _send(self, following: Following) -> None:
        is_ahead = any(not one.task.done() for one in self._asked.values())
        task = asyncio.ensure_future(following.ask())
        self._asked[following.place] = _Asked(task, self._witness if is_ahead else None)
        task.add_done_callback(self._take_in)

    def _has_room(self) -> bool:
        under_way = sum(not one.task.done() for one in self._asked.values())
        if under_way >= min(self.depth, self.most):
            return False
        sizes = [len(one.task.result().response.body) for one in self._asked.values() if _is_answered(one.task)]
        expected = sum(sizes) + under_way * max(sizes, default=0)
        return expected < self._limit_bytes

    def _take_in(self, task: "asyncio.Task[ReadAnswer]") -> None:
        if task.cancelled():
            return
        if task.exception() is not None:
            # Its turn decides what that means; until then nothing more is asked for.
            self._following = iter(())
        self._fill()
        self._look()

    def _look(self) -> None:
        following = next(iter(self._asked.values()), None)
        self.is_ready = following is not None and following.task.done()


def _is_answered(task: "asyncio.Task[ReadAnswer]") -> bool:
    return task.done() and not task.cancelled() and task.exception() is None
