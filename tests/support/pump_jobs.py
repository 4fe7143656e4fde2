"""The jobs that the proofs run, and the world that they run in: an API and a receiver that live in memory."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from app.engine.errors import DeliveryError
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.webhooks import Webhook
from app.engine.record_errors import SourceError
from app.engine.status import ErrorHandling, RunStatus
from app.services.ports import FetchedPage, PageCall, PlainAnswer
from tests.support.upstream import numbered
from tests.support.workspace import child_of, listed

Asked = tuple[str, str, str | None, int]
"""Resource, method, owner, page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A sync job, the API that it reads, and what it must come to."""

    name: str
    resources: Sequence[JsonObject]
    api: Mapping[str, Mapping[str | None, Sequence[JsonObject]]]
    """Resource to owner to records; a page that holds a record with the field ``fault`` is answered by that status."""
    args: JsonObject = field(default_factory=dict)
    to_webhook: bool = False
    error_handling: ErrorHandling = ErrorHandling.IGNORE
    status: RunStatus = RunStatus.COMPLETED
    keeps: Mapping[tuple[str, str], JSON] | None = None
    """What it must have kept, where that is not what the API gave."""
    limits: Mapping[str, Any] = field(default_factory=dict)
    """Settings."""

    @property
    def has_parallel_requests(self) -> bool:
        """Whether a unit of it asks for several elements side by side."""
        return any({"depends_on", "loop_on", "recurse"} & item.keys() for item in self.resources)


class MemoryApi:
    """Gives pages of two records at once, and remembers what it was asked for."""

    page_size: Final = 2

    def __init__(self, job: Job, *, on_ask: Callable[[], object] = lambda: None) -> None:
        self.asked: list[Asked] = []
        self._job = job
        self.on_ask = on_ask

    def submit(self, call: PageCall) -> "Future[FetchedPage]":
        """Answer at once."""
        self.on_ask()
        future: Future[FetchedPage] = Future()
        try:
            future.set_result(self._answer(call))
        except SourceError as error:
            future.set_exception(error)
        return future

    def open_list(self) -> None:
        """Ask for nothing ahead."""

    def preview(self, call: PageCall) -> JsonObject:
        """Show whom it would ask for."""
        return {"resource": call.resource, "id": call.id, "query": call.query}

    def useful_requests(self, account_id: str) -> int:
        """Take as many as there are."""
        return 64

    def pass_on(self, call: PageCall) -> "Future[PlainAnswer]":
        raise AssertionError(call)

    def close(self) -> None:
        """Hold no connection that could be closed."""

    def _answer(self, call: PageCall) -> FetchedPage:
        owner = call.id or call.query.get("parent")
        page = int((call.cursor or {}).get("page", 0))
        self.asked.append((call.resource, call.method, owner, page))
        records = self._job.api.get(call.resource, {}).get(owner)
        if records is None:
            raise SourceError("http_404", f"{call.resource} of {owner}: not found", status=404)
        here = records[page * self.page_size : (page + 1) * self.page_size]
        if faults := [record["fault"] for record in here if "fault" in record]:
            raise SourceError(f"http_{faults[0]}", f"answered {faults[0]}", status=faults[0])
        has_more = (page + 1) * self.page_size < len(records)
        return FetchedPage(
            records=list(here),
            next_cursor={"page": page + 1} if has_more else None,
            server_date=None,
            url=f"memory://{call.resource}",
            status=200,
        )


class MemoryReceiver:
    """Takes every event, but for the attempts that it was told to refuse, and keeps them in the order of coming."""

    def __init__(self, *, refuse_each: int = 0, on_send: Callable[[], object] = lambda: None) -> None:
        self.taken: list[tuple[str, JsonObject]] = []
        self.attempts = 0
        self._refuse_each = refuse_each
        self.on_send = on_send

    def submit(self, webhook: Webhook, event_id: str, body: bytes) -> "Future[int]":
        """Answer 200, or 503 to every so-many-th attempt."""
        self.on_send()
        self.attempts += 1
        future: Future[int] = Future()
        if self._refuse_each and self.attempts % self._refuse_each == 0:
            future.set_exception(DeliveryError("answered 503", status=503))
        else:
            self.taken.append((event_id, orjson.loads(body)))
            future.set_result(200)
        return future


def _owned(name: str, parents: Sequence[JsonObject]) -> dict[str | None, list[JsonObject]]:
    """Return each parent as many children as its number tells."""
    return {parent["id"]: numbered(f"{parent['id']}-{name}", parent["number"]) for parent in parents}


def _all(owned: Mapping[str | None, Sequence[JsonObject]]) -> list[JsonObject]:
    return [record for records in owned.values() for record in records]


_USERS: Final = numbered("user", 5)
_TEAMS: Final = numbered("team", 3)
_MEMBERS: Final = _owned("member", _TEAMS)
_BADGES: Final = _owned("badge", _all(_MEMBERS))
_FAMILY: Final[Mapping[str, Any]] = {
    "resources": [listed("teams"), child_of("teams", "members"), child_of("members", "badges")],
    "api": {"teams": {None: _TEAMS}, "members": _MEMBERS, "badges": _BADGES},
}
_MEMBERS_OF_TWO: Final = {owner: records for owner, records in _MEMBERS.items() if owner != "team-2"}
_FAULTY: Final[Mapping[str, Any]] = {
    "resources": [
        listed("teams"),
        child_of("teams", "members"),
        child_of("members", "badges"),
        listed("orders"),
        child_of("orders", "lines"),
        child_of("teams", "lost", query={"parent": "{{resources.teams.nowhere}}"}),
        child_of("teams", "looped", loop_on="resources.teams.number"),
    ],
    "api": {
        "teams": {None: _TEAMS},
        "members": _MEMBERS_OF_TWO,
        "badges": {**_BADGES, "team-3-member-2": [{"id": "x", "fault": 403}]},
        "orders": {None: [*numbered("order", 2), {"id": "bad", "fault": 500}]},
        "lines": {"order-1": numbered("line", 3), "order-2": []},
    },
}
_FAILING: Final[Mapping[str, Any]] = {
    "resources": [listed("users")],
    "api": {"users": {None: [*_USERS[:4], {"id": "bad", "fault": 403}]}},
    "error_handling": ErrorHandling.FAIL_FAST,
    "status": RunStatus.FAILED,
}

_FOLDERS: Final = {
    None: [*numbered("folder", 2, open=True), {"id": "leaf", "open": False}],
    "folder-1": [{"id": "folder-3", "open": True}, {"id": "leaf-1", "open": False}],
    "folder-2": [],
    "folder-3": [{"id": "leaf-3", "open": False}],
}
_FOLDER_ITEM: Final = listed(
    "folders",
    query={"parent": "{{args.top:undefined}}"},
    recurse={
        "if": "{{resources.folders.open:bool}}",
        "config": {"query": {"parent": "{{resources.folders.id}}"}},
    },
)
_NODES: Final[Sequence[JsonObject]] = [
    {"resource": "teams", "method": "list"},
    {
        "type": "transform",
        "name": "renamed",
        "depends_on": "teams",
        "persist": True,
        "config": {"expression": 'records[number > 1].{"id": id, "size": number}'},
    },
    child_of("renamed", "members", query={"parent": "{{resources.renamed.id}}"}),
    {"type": "spool", "name": "all", "depends_on": "members"},
    {
        "type": "transform",
        "name": "sizes",
        "resource": "sizes",
        "depends_on": "all",
        "persist": True,
        "config": {"expression": '{"id": "sum", "members": $count(records), "size": total_records_size}'},
    },
    child_of("all", "badges", query={"parent": "{{resources.members.id}}"}),
]
_LATE_MEMBERS: Final = [record for record in _all(_MEMBERS) if not record["id"].startswith("team-1")]
_NODES_JOB: Final[Mapping[str, Any]] = {
    "resources": _NODES,
    "api": {"teams": {None: _TEAMS}, "members": _MEMBERS, "badges": _BADGES},
    "keeps": {
        **{("teams", team["id"]): {"id": team["id"], "size": team["number"]} for team in _TEAMS[1:]},
        **{("members", record["id"]): record for record in _LATE_MEMBERS},
        ("sizes", "sum"): {"id": "sum", "members": 5, "size": 5},
        **{("badges", badge["id"]): badge for member in _LATE_MEMBERS for badge in _BADGES[member["id"]]},
    },
}

# Two pages make a full batch.
_MERGING: Final[Mapping[str, Any]] = {"delivery_merge_records": 4}

JOBS: Final[Sequence[Job]] = (
    Job(name="flat", resources=[listed("users")], api={"users": {None: _USERS}}),
    Job(name="family", **_FAMILY),
    Job(name="family-to-webhook", **_FAMILY, to_webhook=True, limits=_MERGING),
    Job(
        name="pair-to-webhook",
        resources=[listed("users"), child_of("users", "notes")],
        api={"users": {None: _USERS[:3]}, "notes": {"user-1": numbered("note", 3), "user-2": [], "user-3": []}},
        to_webhook=True,
    ),
    Job(
        name="loop",
        resources=[listed("notes", loop_on="args.ids", query={"parent": "{{args.ids}}"})],
        api={"notes": {"a": numbered("a", 3), "b": [], "c": numbered("c", 5)}},
        args={"ids": ["a", "b", "c"]},
    ),
    Job(name="faults-ignored", **_FAULTY),
    Job(name="faults-to-webhook", **{**_FAULTY, "resources": _FAULTY["resources"][3:5]}, to_webhook=True),
    Job(name="faults-in-batches", **_FAULTY, to_webhook=True, error_handling=ErrorHandling.BATCH, limits=_MERGING),
    Job(name="fail-fast", **_FAILING),
    Job(name="fail-fast-to-webhook", **_FAILING, to_webhook=True),
    Job(
        name="failing-roots-to-webhook",
        resources=[listed("users"), child_of("users", "notes")],
        api={},
        to_webhook=True,
        status=RunStatus.FAILED,
    ),
    Job(
        name="unpersisted-parent",
        resources=[{"resource": "teams", "method": "list"}, child_of("teams", "members")],
        api={"teams": {None: _TEAMS}, "members": _MEMBERS},
    ),
    Job(
        name="single-objects",
        resources=[
            {"resource": "users", "method": "get", "id": "{{args.user}}", "persist": True},
            {"resource": "exports", "method": "create", "body": {"of": "{{args.user}}"}},
        ],
        api={"users": {"user-1": _USERS[:1]}, "exports": {None: [{"id": "export-1"}]}},
        args={"user": "user-1"},
    ),
    Job(
        name="told-deletions",
        resources=[listed("users", deleted_when="gone"), child_of("users", "notes")],
        api={
            "users": {None: [*_USERS[:4], *({**user, "gone": True} for user in _USERS[1:4])]},
            "notes": {user["id"]: [] for user in _USERS[:4]},
        },
        keeps={("users", "user-1"): _USERS[0]},
    ),
    Job(name="recursion", resources=[_FOLDER_ITEM], api={"folders": _FOLDERS}),
    Job(name="transforms-and-spools", **_NODES_JOB),
    Job(name="transforms-and-spools-to-webhook", **_NODES_JOB, to_webhook=True, limits=_MERGING),
)


def records_of(job: Job) -> dict[tuple[str, str], JSON]:
    """Return the records that a complete run of a job without faults must keep."""
    if job.keeps is not None:
        return dict(job.keeps)
    persisted = {item["resource"] for item in job.resources if item.get("persist")}
    return {
        (resource, record["id"]): record
        for resource in persisted
        for records in job.api[resource].values()
        for record in records
    }
