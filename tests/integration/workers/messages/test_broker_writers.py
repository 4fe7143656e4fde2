"""Somebody else writes to the broker: daemons drop what is none of Ferryman's, count it, and go on with their work."""

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any

import pytest
from celery import Celery
from redis import Redis

from app.broker import signing, tasks
from app.broker.dispatcher import build_publisher
from app.broker.sender import TaskSender
from app.engine.ids import new_id
from app.engine.json_types import JsonObject
from app.engine.objects.daemons import name_queue
from app.stack.stack import Stack
from tests.support.patience import WaitFor
from tests.support.process_nodes import DaemonNode, FerrymanSetup
from tests.support.upstream import Upstream, numbered
from tests.support.workspace import Workspace, listed

PREFIX = "ferryman:"
QUEUE = f"{PREFIX}{name_queue('default')}"
HEADERS = {"expires", "eta", "task"}
PAST, FUTURE = "2000-01-01T00:00:00+00:00", "2099-01-01T00:00:00+00:00"


def envelope(headers: Any = None, body: Any = None, **changes: Any) -> JsonObject:
    """Write an envelope as kombu does, with the headers of a task unless others are given."""
    task = {"task": tasks.SYNC_UNIT, "id": new_id()} if headers is None else headers
    raw = body if isinstance(body, bytes) else json.dumps([[new_id(), new_id()], {}, {}] if body is None else body)
    return {
        "body": base64.b64encode(raw if isinstance(raw, bytes) else raw.encode()).decode(),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": task,
        "properties": {
            "delivery_tag": new_id(),
            "body_encoding": "base64",
            "delivery_info": {"exchange": "", "routing_key": name_queue("default")},
        },
        **changes,
    }


def task(**headers: Any) -> JsonObject:
    return {"task": tasks.SYNC_UNIT, "id": new_id(), **headers}


JUNK: Mapping[str, Any] = {
    "empty object": b"{}",
    "list": b"[]",
    "null": b"null",
    "text": b"nonsense",
    "bytes": b"\xff\xfe\x00",
    "nested": b"[" * 100_000,
    "huge": b'"' + b"a" * 10_000_000 + b'"',
    "typed": b'{"__type__": "datetime", "__value__": 7}',
    "no headers": envelope(headers=[]),
    "no task": envelope(headers={}),
    "odd task": envelope(headers={"task": [], "id": {}}),
    "foreign task": envelope(headers=task(task="nobody.knows")),
    "celery's task": envelope(headers=task(task="celery.map")),
    "no properties": envelope(properties=None),
    "no tag": envelope(properties={"delivery_info": {"exchange": "", "routing_key": "q"}}),
    "odd tag": envelope(properties={"delivery_tag": {}, "delivery_info": {}}),
    "nowhere": envelope(properties={"delivery_tag": "t", "delivery_info": {}}),
    "odd encoding": envelope(properties={**envelope()["properties"], "body_encoding": "rot13"}),
    "odd body": {**envelope(), "body": {"a": 1}},
    "not base64": {**envelope(), "body": "~~~"},
    "pickle": envelope(body=b"cos\nsystem\n(S'true'\ntR.", **{"content-type": "application/x-python-serialize"}),
    "yaml": envelope(body=b"- []", **{"content-type": "application/x-yaml"}),
    "any data": envelope(body=b"a" * 100_000, **{"content-type": "application/data", "content-encoding": "punycode"}),
    "bomb": envelope(headers=task(compression="zlib"), body=zlib.compress(b"0" * 10_000_000)),
    "odd compression": envelope(headers=task(compression="none")),
    "nested body": envelope(body=b"[" * 100_000),
    "no arguments": envelope(body={}),
    "old protocol": envelope(headers={}, body={"task": tasks.START_RUN, "id": new_id(), "args": [new_id()]}),
    "forged arguments": envelope(body=[["a", "b", "c"], {}, {}]),
    "typed arguments": envelope(body=[[{"a": 1}, 7], {}, {}]),
    "keywords": envelope(body=[[new_id(), new_id()], {"unit_id": "x"}, {}]),
    "errbacks": envelope(body=[[new_id(), new_id()], {}, {"errbacks": [{"task": "celery.map"}]}]),
    "chord": envelope(body=[[new_id(), new_id()], {}, {"chord": {"task": "celery.map"}}]),
    "chain": envelope(body=[[new_id(), new_id()], {}, {"chain": [{"task": "celery.map", "args": []}]}]),
    "expired": envelope(headers=task(expires=PAST)),
    "odd expiry": envelope(headers=task(expires={"a": 1})),
    "later": envelope(headers=task(eta=FUTURE)),
    "odd eta": envelope(headers=task(eta=7)),
    "odd retries": envelope(headers=task(retries={})),
    "odd limits": envelope(headers=task(timelimit=7)),
    "stamped": envelope(headers=task(stamped_headers=["a"], stamps={"a": []})),
}


@pytest.fixture
def broker(node_environment: Mapping[str, str]) -> Redis:
    return redis_of(node_environment["BROKER_URL"])


def redis_of(url: str) -> Redis:
    return Redis.from_url(url.replace("redis+socket://", "unix://"))


def test_junk_in_a_queue_is_dropped_and_counted_and_ends_no_daemon(
    node_workspace: Workspace, daemons: list[DaemonNode], broker: Redis, upstream: Upstream, wait_for: WaitFor
) -> None:
    before, dropped = [daemon.container.pid for daemon in daemons], counted(node_workspace, daemons)

    for junk in JUNK.values():
        broker.lpush(QUEUE, junk if isinstance(junk, bytes) else json.dumps(junk))

    wait_for(lambda: counted(node_workspace, daemons) - dropped == len(JUNK), what="the count of what was dropped")
    upstream.lists("/users", numbered("user", 3))
    run = node_workspace.sync(upstream.url, [listed("users")]).run()
    assert run["status"] == "completed"
    assert [daemon.container.pid for daemon in daemons] == before
    assert broker.llen(QUEUE) == 0
    wait_for(lambda: broker.hlen(f"{PREFIX}unacked") == 0, what="the last acknowledgement")
    assert any("none of Ferryman's was dropped" in daemon.logs() for daemon in daemons)


def test_junk_among_what_waits_for_its_acknowledgement_is_dropped(
    node_workspace: Workspace, daemons: list[DaemonNode], broker: Redis, wait_for: WaitFor
) -> None:
    before, dropped = [daemon.container.pid for daemon in daemons], counted(node_workspace, daemons)
    odd = [b"{}", b"nonsense", b"[1, 2]", b"[[], 1, 2]", b'[{}, "", "q"]', b"[" * 100_000]

    for number, junk in enumerate(odd):
        broker.hset(f"{PREFIX}unacked", f"junk-{number}", junk)
        broker.zadd(f"{PREFIX}unacked_index", {f"junk-{number}": 1})

    wait_for(lambda: broker.zcard(f"{PREFIX}unacked_index") == 0, what="the end of all junk")
    wait_for(lambda: counted(node_workspace, daemons) - dropped >= len(odd), what="the count of what was dropped")
    assert not [tag for tag in broker.hkeys(f"{PREFIX}unacked") if tag.startswith(b"junk")]
    assert [daemon.container.pid for daemon in daemons] == before


@pytest.mark.parametrize(
    "body",
    [
        {"method": "shutdown", "arguments": {}},
        {"method": "pool_shrink", "arguments": {"n": 4}},
        {"method": "cancel_consumer", "arguments": {"queue": name_queue("default")}},
        {"method": "rate_limit", "arguments": {"task_name": tasks.START_RUN, "rate_limit": "1/h"}},
        {"method": "revoke", "arguments": {"task_id": "all"}},
        {"method": "ping", "pattern": "(d+)+$", "matcher": "pcre"},
        {"method": "ping", "destination": 7},
        {"method": "ping", "reply_to": "nobody"},
        {"method": []},
        {},
        [],
        None,
    ],
    ids=str,
)
def test_commands_of_a_stranger_are_not_obeyed(
    node_workspace: Workspace,
    daemons: list[DaemonNode],
    celery_setup: FerrymanSetup,
    broker: Redis,
    upstream: Upstream,
    body: Any,
    wait_for: WaitFor,
) -> None:
    before, dropped = [daemon.container.pid for daemon in daemons], counted(node_workspace, daemons)
    message = envelope(headers={"clock": 1}, body=body)
    message["properties"]["delivery_info"] = {"exchange": "celery.pidbox", "routing_key": ""}

    assert broker.publish(f"{PREFIX}/0.celery.pidbox", json.dumps(message)) == len(daemons)

    wait_for(lambda: counted(node_workspace, daemons) - dropped >= len(daemons), what="the count of what was dropped")
    upstream.lists("/users", numbered("user", 3))
    assert node_workspace.sync(upstream.url, [listed("users")]).run()["status"] == "completed"
    assert [daemon.container.pid for daemon in daemons] == before
    assert len(celery_setup.app.control.ping(timeout=5, limit=len(daemons))) == len(daemons)


def test_junk_in_the_place_of_commands_ends_no_daemon(
    node_workspace: Workspace, daemons: list[DaemonNode], broker: Redis, upstream: Upstream
) -> None:
    before = [daemon.container.pid for daemon in daemons]

    for junk in (b"{}", b"[]", b"nonsense", b"[" * 100_000, json.dumps(envelope(headers={"clock": {}})).encode()):
        broker.publish(f"{PREFIX}/0.celery.pidbox", junk)

    upstream.lists("/users", numbered("user", 3))
    assert node_workspace.sync(upstream.url, [listed("users")]).run()["status"] == "completed"
    assert [daemon.container.pid for daemon in daemons] == before


@pytest.mark.parametrize(
    "forged",
    [
        {"expires": PAST},
        {"eta": FUTURE},
        {"arguments": [7]},
        {"arguments": ["extra"]},
        {"kwargs": {"run_id": "x"}},
        {"task": tasks.SYNC_UNIT},
    ],
    ids=str,
)
def test_forged_start_of_a_run_neither_stops_nor_fails_it(
    node_workspace: Workspace, broker: Redis, upstream: Upstream, forged: JsonObject
) -> None:
    upstream.lists("/users", numbered("user", 20), page_size=2)
    gate = upstream.gate("/users", from_cursor="2")
    sync = node_workspace.sync(upstream.url, [listed("users")])
    run_id = sync.start()
    gate.wait_for_request()
    headers = task(**{"task": tasks.START_RUN, **{key: forged[key] for key in forged.keys() & HEADERS}})

    body = [[run_id, *forged.get("arguments", [])], forged.get("kwargs", {}), {}]
    broker.lpush(QUEUE, json.dumps(envelope(headers=headers, body=body)))
    broker.lpush(QUEUE, json.dumps(envelope(headers=task(task=tasks.START_RUN), body=[[run_id], {}, {}])))
    gate.open()

    assert sync.finished(run_id)["status"] == "completed"
    assert sync.errors(run_id) == []


@pytest.fixture
def captured(ferryman: Stack, monkeypatch: pytest.MonkeyPatch) -> "Captured":
    return Captured(ferryman, monkeypatch)


class Captured:
    """Signed messages as they lie in the broker, for somebody who can read and write there but has no key."""

    def __init__(self, stack: Stack, environment: pytest.MonkeyPatch) -> None:
        key = stack.environment["FERRYMAN_MESSAGE_KEY"]
        environment.setenv("FERRYMAN_MESSAGE_KEY", key)
        self._celery: Celery = build_publisher(stack.broker_url, timeout_seconds=5)
        self._celery.conf.task_serializer = signing.register_serializer(key)
        self._broker = redis_of(stack.broker_url)

    def message(self, name: str, *args: str) -> JsonObject:
        """Take a message that Ferryman has signed."""
        TaskSender(self._celery).send(name, list(args), queue="captured")
        taken: JsonObject = json.loads(self._broker.rpop(f"{PREFIX}captured"))
        return taken

    def revoke_start(self, run_id: str) -> None:
        """Revoke the start of a run as an operator does, who has the key."""
        task_id = new_id()
        self._celery.conf.accept_content = [self._celery.conf.task_serializer]
        self._celery.control.revoke(task_id, reply=True, timeout=10, limit=2)
        self._celery.send_task(tasks.START_RUN, args=[run_id], queue=name_queue("default"), task_id=task_id)

    def put_back(self, message: JsonObject, **headers: Any) -> None:
        """Put it into a queue of daemons, with other headers."""
        tag = {**message["properties"], "delivery_tag": new_id()}
        changed = {**message, "headers": {**message["headers"], **headers}, "properties": tag}
        self._broker.lpush(QUEUE, json.dumps(changed))


@pytest.mark.parametrize(
    "headers", [{"expires": PAST}, {"task": tasks.SYNC_UNIT}, {"id": new_id()}], ids=["expires", "task", "id"]
)
def test_captured_start_that_was_changed_does_nothing(
    captured: Captured, workspace: Workspace, upstream: Upstream, headers: JsonObject
) -> None:
    upstream.lists("/users", numbered("user", 20), page_size=2)
    gate = upstream.gate("/users", from_cursor="2")
    sync = workspace.sync(upstream.url, [listed("users")])
    run_id = sync.start()
    gate.wait_for_request()

    captured.put_back(captured.message(tasks.START_RUN, run_id), **headers)
    captured.put_back(captured.message(tasks.SYNC_UNIT, run_id, new_id()), task=tasks.START_RUN)
    gate.open()

    assert sync.finished(run_id)["status"] == "completed"
    assert sync.errors(run_id) == []


def test_captured_messages_that_are_sent_again_do_nothing_new(
    captured: Captured, workspace: Workspace, upstream: Upstream, ferryman: Stack, wait_for: WaitFor
) -> None:
    upstream.lists("/users", numbered("user", 20), page_size=2)
    gate = upstream.gate("/users", from_cursor="2")
    sync = workspace.sync(upstream.url, [listed("users")])
    run_id = sync.start()
    gate.wait_for_request()
    start = captured.message(tasks.START_RUN, run_id)

    for _ in range(50):
        captured.put_back(start)
    gate.open()
    sync.finished(run_id)
    for _ in range(50):
        captured.put_back(start)

    wait_for(lambda: redis_of(ferryman.broker_url).llen(QUEUE) == 0, what="the last of the messages")
    run = sync.show(run_id)
    assert (run["status"], run["error"]) == ("completed", None)
    assert len(upstream.asked("/users")) == 10
    assert len(sync.records("users")) == 20


def test_operator_who_revokes_a_start_stops_a_run_that_waits_and_no_other(
    captured: Captured, workspace: Workspace, upstream: Upstream, wait_for: WaitFor
) -> None:
    upstream.lists("/users", numbered("user", 20), page_size=2)
    gate = upstream.gate("/users", from_cursor="2")
    sync = workspace.sync(upstream.url, [listed("users")])
    under_way, waiting = sync.start(), sync.start(daemon_group_key="nobody")
    gate.wait_for_request()

    captured.revoke_start(under_way)
    captured.revoke_start(waiting)

    wait_for(lambda: sync.status(waiting) == "stopped", what="the stop of the run that waits")
    gate.open()
    assert sync.finished(under_way)["status"] == "completed"


def counted(workspace: Workspace, daemons: list[DaemonNode]) -> int:
    """Sum up what these daemons say that they dropped."""
    shown = [workspace.api.get(f"/daemon/{daemon.daemon_id}") for daemon in daemons]
    return sum(sum(daemon["metadata"].get("dropped_messages", {}).values()) for daemon in shown)
