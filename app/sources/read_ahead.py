"""Request the next pages of a list concurrently, and keep each answer until its turn.

The list itself is read in order, since only the page before determines the next one. An answer for a place that the
list does not reach is dropped. All of it lives on the event loop of the source.
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
    """A page that was requested."""

    task: "asyncio.Task[ReadAnswer] | None"
    """None once its answer is kept as ``read_again`` alone."""
    witness: JsonObject | None
    """The last page that was read before this request, where an earlier page was still missing."""
    is_counted: bool = False
    """Its answer is counted, or it is of no more interest."""
    size: int = 0
    """The bytes of its answer, which is kept."""
    holds_up: bool = False
    """The list most likely ends with it, or breaks: until its turn nothing more is requested."""
    read_again: Callable[[], Awaitable[ReadAnswer]] | None = None
    """Reads the body that is kept in the place of its document, which takes several times as much memory."""

    @property
    def is_done(self) -> bool:
        """Whether its answer is there, or there is none."""
        return self.task is None or self.task.done()

    async def read(self) -> ReadAnswer:
        """Return its answer, or raise its error."""
        if self.task is not None:
            return await self.task
        assert self.read_again is not None
        return await self.read_again()


@dataclass(frozen=True, slots=True)
class Following:
    """A page that may be requested."""

    place: str
    """Identifies it among the list's pages."""
    ask: Callable[[], Awaitable[ReadAnswer]]
    is_extra: bool = False
    """It is a check, behind which the list goes on as without it."""


class SharedBytes:
    """The bytes that the answers of all lists of a process may take until their turn: each list may keep its share."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lists: set[int] = set()

    @property
    def share(self) -> int:
        """How much one of the lists that are read ahead may keep now."""
        return self._most // max(1, len(self._lists))

    def count(self, one: "ReadAhead", *, is_kept: bool) -> None:
        """Count a list in while it has requests under way, or answers that are kept."""
        (self._lists.add if is_kept else self._lists.discard)(id(one))


class ReadAhead:
    """The pages of one list that a slice has requested."""

    def __init__(
        self,
        fetch: Callable[[PageCall, "ReadAhead"], "Future[FetchedPage]"],
        *,
        shared: SharedBytes,
        call_soon: Callable[[Callable[[], object]], None],
    ) -> None:
        """``fetch`` starts to fetch a page, ``call_soon`` calls a function on the loop."""
        self._fetch = fetch
        self.most = 1
        """The most concurrent requests, with that of the next page; set from any thread."""
        self.is_parallel = False
        """Whether more than the next page can be requested before its turn."""
        self.is_ready = False
        """Whether the next page's answer is there; read from any thread."""
        self._is_closed = False
        """Nobody waits for a page any more; set from any thread."""
        self._shared = shared
        self._call_soon = call_soon
        self._asked: dict[str, _Asked] = {}
        self._following: Iterator[Following] = iter(())
        self._depth = 0
        self._widest = 1
        self._under_way = 0
        self._holding_up = 0
        self._knows_end = False
        self._kept_bytes = 0
        self._largest_bytes = 0
        """Of the answers so far: as many may come to each request."""
        self._witness: JsonObject | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether a page was requested whose turn has not come; callable from any thread."""
        return bool(self._asked)

    @property
    def depth(self) -> int:
        """How many pages are requested concurrently; it grows as long as the answers are used."""
        return max(1, min(self._depth, self.most))

    @property
    def widest(self) -> int:
        """How many pages were requested concurrently at most: what a slice that ends takes in was requested so."""
        return self._widest

    def is_asked(self, place: str) -> bool:
        """Whether a page was requested whose turn has not come."""
        return place in self._asked

    def submit(self, call: PageCall) -> "Future[FetchedPage]":
        """Start to fetch the list's next page and those behind it; callable from any thread."""
        return self._fetch(call, self)

    async def take(self, place: str, ask: Callable[[], Awaitable[ReadAnswer]]) -> ReadAnswer:
        """Return the answer to the request for a page, which is sent now unless it was sent ahead."""
        if self._is_closed:
            # What was submitted just before begins only now: its answer would be read by nobody.
            raise asyncio.CancelledError
        asked = self._asked.get(place)
        if asked is None:
            self._drop()
            return await ask()
        try:
            answer = await asked.read()
        except RefusedError:
            if asked.witness is None:
                raise
            # It may have been requested too early.
            self._drop()
            return await ask()
        finally:
            # Not earlier: the others were requested ahead of it.
            if self._asked.get(place) is asked:
                del self._asked[place]
                self._count_answer(asked)
                self._kept_bytes -= asked.size
                self._holding_up -= asked.holds_up
            self._update_ready()
        self._depth += 1
        return replace(answer, page=replace(answer.page, witness=asked.witness)) if asked.witness else answer

    def go_on(
        self,
        following: Callable[[int], Iterator[Following]],
        *,
        depth: int,
        knows_end: bool,
        witness: JsonObject | None,
    ) -> None:
        """Request the pages behind the one whose turn it was.

        ``following`` yields them up to a depth, ``depth`` is the first one, ``witness`` identifies the page's content.
        Unless the list ``knows_end``, nothing is requested beyond an empty page until its turn.
        """
        if self._is_closed:
            return
        self._knows_end = knows_end
        self._witness = witness or self._witness
        self._depth = self._depth or max(1, depth)
        self._widest = max(self._widest, self.depth)
        if self._are_in_vain(following(self.depth)):
            self._drop()
            # Not as many as before: these were in vain, and the list may end here.
            self._depth = 1
        self._following = following(self.depth)
        expected = next(self._following, None)
        if expected is not None and expected.place not in self._asked and (self.most or self._asked):
            # Later answers are there already and wait for it.
            self._send(expected)
        self._fill()
        self._update_ready()

    def _are_in_vain(self, following: Iterator[Following]) -> bool:
        """Whether pages were requested, and none of them is the one that the list goes on with."""
        checks: set[str] = set()
        for one in following:
            if not one.is_extra:
                return one.place not in self._asked and bool(self._asked.keys() - checks)
            checks.add(one.place)
        return False

    def close(self) -> None:
        """Drop all requests, and send no more; callable from any thread."""
        self._is_closed = True
        self._following = iter(())
        self._call_soon(self._drop)

    def _drop(self) -> None:
        dropped, self._asked, self.is_ready = self._asked, {}, False
        self._shared.count(self, is_kept=False)
        self._under_way = self._kept_bytes = self._holding_up = 0
        for asked in dropped.values():
            asked.is_counted = True
            if asked.task is not None:
                asked.task.cancel()

    def _fill(self) -> None:
        while self._has_room() and (following := next(self._following, None)):
            if following.place not in self._asked:
                self._send(following)

    def _send(self, following: Following) -> None:
        task = asyncio.ensure_future(following.ask())
        asked = _Asked(task, self._witness if self._under_way else None)
        self._asked[following.place] = asked
        self._under_way += 1
        task.add_done_callback(lambda task: self._on_answer(asked, task))

    def _has_room(self) -> bool:
        if self._is_closed or self._holding_up or self._under_way >= min(self.depth, self.most):
            return False
        return self._kept_bytes + self._under_way * self._largest_bytes < self._shared.share

    def _count_answer(self, asked: _Asked) -> None:
        """Count what has come in, once."""
        if asked.is_counted:
            return
        asked.is_counted = True
        self._under_way -= 1
        if asked.task is not None and _is_answered(asked.task):
            asked.size = len(asked.task.result().response.body)
            self._kept_bytes += asked.size
            self._largest_bytes = max(self._largest_bytes, asked.size)

    def _on_answer(self, asked: _Asked, task: "asyncio.Task[ReadAnswer]") -> None:
        if asked.is_counted:
            return
        self._count_answer(asked)
        if task.cancelled():
            return
        is_answered = _is_answered(task)
        asked.holds_up = not is_answered or not (self._knows_end or task.result().page.records)
        self._holding_up += asked.holds_up
        is_next = asked is next(iter(self._asked.values()), None)
        if is_answered and not is_next and (again := task.result().read_again):
            asked.read_again, asked.task = again, None
        self._fill()
        self._update_ready()

    def _update_ready(self) -> None:
        following = next(iter(self._asked.values()), None)
        self._shared.count(self, is_kept=following is not None)
        self.is_ready = following is not None and following.is_done


def _is_answered(task: "asyncio.Task[ReadAnswer]") -> bool:
    return task.done() and not task.cancelled() and task.exception() is None
