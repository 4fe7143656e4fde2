"""What the services reach outside for: the time, the dispatcher, an upstream API and a webhook's receiver."""

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeAlias, TypeVar
from urllib.parse import urlencode

import orjson

from app.engine.errors import BrokerUnavailableError, UnreadableSecretError
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.webhooks import Webhook
from app.engine.runs.work import WakeUp
from app.limits.local_requests import LocalRequests
from app.services.calls.ports import SealPurpose
from app.services.calls.request_limits import RequestLimits
from app.services.ports import FetchedPage, PageCall, PlainAnswer, QueueState

T = TypeVar("T")

PENDING = None
"""A scripted answer that never comes by itself."""

PageAnswer: TypeAlias = FetchedPage | Exception | None
SendAnswer: TypeAlias = int | Exception | None


class FakeClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@dataclass
class FakeDispatcher:
    """Remembers what it dispatched."""

    is_broken: bool = False
    is_full: bool = False
    """The broker can be looked at, and takes nothing."""
    breaks_for: str = ""
    """The run whose message can not even be written."""
    wake_ups: list[WakeUp] = field(default_factory=list)
    runs: list[tuple[str, str]] = field(default_factory=list)
    tasks: list[tuple[str, list[str], str]] = field(default_factory=list)

    @property
    def unit_ids(self) -> list[str]:
        return [dispatch.unit_id for dispatch in self.wake_ups]

    def dispatch(self, wake_ups: Sequence[WakeUp]) -> bool:
        self._check(*(dispatch.run_id for dispatch in wake_ups))
        return all(self._take(self.wake_ups, dispatch) for dispatch in wake_ups)

    def dispatch_run(self, run_id: str, *, queue: str) -> bool:
        self._check(run_id)
        return self._take(self.runs, (run_id, queue))

    def dispatch_again(self, run_id: str, unit_id: str | None, *, queue: str) -> bool:
        if unit_id is None:
            return self.dispatch_run(run_id, queue=queue)
        return self.dispatch([WakeUp(run_id=run_id, unit_id=unit_id, queue=queue)])

    def publish(self, task: str, args: list[str], *, queue: str) -> bool:
        self._check(*args)
        return self._take(self.tasks, (task, args, queue))

    def is_reachable(self) -> bool:
        return not self.is_broken

    def look_at(self, queues: Sequence[str]) -> dict[str, QueueState]:
        if self.is_broken:
            raise BrokerUnavailableError
        full = {queue for _, queue in self.runs} | {one.queue for one in self.wake_ups} | {one[2] for one in self.tasks}
        return {queue: QueueState(is_empty=queue not in full) for queue in queues}

    def _check(self, *run_ids: str) -> None:
        if self.breaks_for in run_ids:
            raise ValueError("no name of a queue")

    def _take(self, taken: list[T], message: T) -> bool:
        is_taken = not (self.is_broken or self.is_full)
        if is_taken:
            taken.append(message)
        return is_taken


class PlainSeal:
    """Marks what it sealed, and for which purpose."""

    def seal(self, value: JSON, purpose: SealPurpose) -> bytes:
        return b"sealed:" + purpose.encode() + b":" + orjson.dumps(value)

    def open(self, sealed: bytes, purpose: SealPurpose) -> JSON:
        mark = b"sealed:" + purpose.encode() + b":"
        if not sealed.startswith(mark):
            raise UnreadableSecretError
        return orjson.loads(sealed.removeprefix(mark))


class FakeAhead:
    """Pages that wait for their turn, as many as the test says."""

    def __init__(self, source: "FakeSource", waiting: int, *, has_come: bool) -> None:
        self._source = source
        self.is_parallel = source.is_parallel
        self.most = 1
        self.has_come = has_come
        self.told: list[int] = []
        """What ``most`` was at each request."""
        self.waiting = waiting
        self.is_closed = False

    @property
    def is_under_way(self) -> bool:
        return len(self.told) <= self.waiting

    @property
    def is_ready(self) -> bool:
        return self.has_come and self.is_under_way

    def submit(self, call: PageCall) -> "Future[FetchedPage]":
        self.told.append(self.most)
        return self._source.submit(call)

    def close(self) -> None:
        self.is_closed = True


class FakeSource:
    """An upstream API that answers each request as scripted for its id, in order; the last answer is repeated."""

    def __init__(self, journal: list[str] | None = None) -> None:
        self.calls: list[PageCall] = []
        self.futures: list[Future[FetchedPage]] = []
        self.useful = 64
        self.waiting: int | None = None
        """Pages of each list that are asked for before their turn; None: lists are not read ahead."""
        self.is_fast = False
        """They come at once."""
        self.is_parallel = True
        self.lists: list[FakeAhead] = []
        self.plain: PlainAnswer | Exception | None = PlainAnswer(status=200, content_type="text/plain", body=b"pong")
        self._journal = [] if journal is None else journal
        self._scripts: dict[str | None, list[PageAnswer]] = defaultdict(list)

    @property
    def asked(self) -> list[tuple[str | None, JSON]]:
        return [(call.id, call.cursor) for call in self.calls]

    def script(self, *answers: PageAnswer, id: str | None = None) -> "FakeSource":
        self._scripts[id].extend(answers)
        return self

    def replace_script(self, answer: PageAnswer, id: str | None = None) -> None:
        self._scripts[id] = [answer]

    def submit(self, call: PageCall) -> "Future[FetchedPage]":
        self.calls.append(call)
        self._journal.append(f"ask {call.id or call.resource}")
        future = answered(_next(self._scripts[call.id]))
        self.futures.append(future)
        return future

    def open_list(self) -> FakeAhead | None:
        if self.waiting is None:
            return None
        self.lists.append(FakeAhead(self, self.waiting, has_come=self.is_fast))
        return self.lists[-1]

    def pass_on(self, call: PageCall) -> "Future[PlainAnswer]":
        self.calls.append(call)
        return answered(self.plain)

    def preview(self, call: PageCall) -> JsonObject:
        query = f"?{urlencode(call.query)}" if call.query else ""
        return {"method": "GET", "url": f"https://up.test/{call.resource}{query}", "headers": {}, "body": None}

    def close(self) -> None:
        """Nothing is open."""

    def useful_requests(self, account_id: str) -> int:
        return self.useful


class FakeReceiver:
    """A webhook's receiver that answers deliveries as scripted, in order; the last answer is repeated."""

    def __init__(self, *answers: SendAnswer) -> None:
        self.sent: list[tuple[str, bytes]] = []
        self.futures: list[Future[int]] = []
        self._answers = list(answers)

    @property
    def event_ids(self) -> list[str]:
        return [event_id for event_id, _ in self.sent]

    def submit(self, webhook: Webhook, event_id: str, body: bytes) -> "Future[int]":
        self.sent.append((event_id, body))
        future = answered(_next(self._answers))
        self.futures.append(future)
        return future


def call_limits(most: int = 0) -> RequestLimits:
    """Let so many direct calls of an account through while time stands still; 0 is no limit."""

    def monotonic() -> float:
        return 0.0

    counts = LocalRequests(window_seconds=10, monotonic=monotonic)
    return RequestLimits(counts.take, limit=most, window_seconds=10, monotonic=monotonic)


def answered(answer: T | Exception | None) -> "Future[T]":
    """Make a future that holds its answer already, or waits for it."""
    future: Future[T] = Future()
    if isinstance(answer, Exception):
        future.set_exception(answer)
    elif answer is not PENDING:
        future.set_result(answer)
    return future


def page(*records: JSON, cursor: JsonObject | None = None, server_date: datetime | None = None) -> FetchedPage:
    """Make a page of records, the last one unless it has a cursor."""
    return FetchedPage(
        records=list(records), next_cursor=cursor, server_date=server_date, url="https://up.test/x", status=200
    )


def _next(answers: list[T]) -> T:
    return answers.pop(0) if len(answers) > 1 else answers[0]
