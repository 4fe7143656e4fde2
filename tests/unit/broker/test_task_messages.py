"""Only what Ferryman sends is a task of Ferryman's, and with a key only what was sealed by it."""

import os
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from celery import Celery, chain, group
from celery.canvas import Signature
from hypothesis import given, settings
from hypothesis import strategies as st

from app.broker import signing, task_messages, tasks
from app.broker.signing import Signer
from app.engine.ids import new_id

EXAMPLES = int(os.environ.get("FUZZ_ENVELOPES", "300"))
KEY = "k" * 32
RUN, UNIT = "0190f0f0-0000-7000-8000-000000000001", "0190f0f0-0000-7000-8000-000000000002"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A message as kombu hands it over."""

    headers: Any
    body: Any
    content_type: Any = "application/json"
    content_encoding: Any = "utf-8"
    errors: list[object] = field(default_factory=list)


@pytest.fixture(params=["", KEY], ids=["unsigned", "signed"])
def key(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("FERRYMAN_MESSAGE_KEY", request.param)
    return str(request.param)


@pytest.fixture
def signed(monkeypatch: pytest.MonkeyPatch) -> Signer:
    monkeypatch.setenv("FERRYMAN_MESSAGE_KEY", KEY)
    signer = signing.build_signer(KEY)
    assert signer is not None
    return signer


def sent(task: str = tasks.SYNC_UNIT, args: Any = (RUN, UNIT), **options: Any) -> Received:
    """Write a message as a daemon does, by the key of the environment."""
    celery = Celery(set_as_current=False, amqp="app.broker.task_messages:SealingAmqp")
    message = celery.amqp.as_task_v2(new_id(), task, args=args, **options)
    return received(message.headers, message.body)


def received(headers: Any, body: Any) -> Received:
    signer = task_messages.read_signer()
    headers = orjson.loads(orjson.dumps(headers))
    if signer is None:
        return Received(headers=headers, body=orjson.dumps(body))
    return Received(headers=headers, body=signer.sign(body), content_type=signing.CONTENT_TYPE)


def changed(message: Received, **headers: Any) -> Received:
    return Received(headers={**message.headers, **headers}, body=message.body, content_type=message.content_type)


def fault(message: Received) -> str | None:
    return task_messages.find_fault(message, task_messages.read_signer())


def canvas() -> Signature:
    """Build what workers/canvas.py builds of a child that has children."""

    def one() -> Signature:
        return Signature(tasks.SYNC_RESOURCE, args=(RUN, UNIT), immutable=True, options={"queue": "q"})

    return group([chain(one(), group([one(), chain(one(), group([one(), one()]))])), one()])


@pytest.mark.parametrize(
    ("task", "args"),
    [
        (tasks.START_RUN, (RUN,)),
        (tasks.SYNC_RESOURCE, [RUN, UNIT]),
        (tasks.SYNC_UNIT, (RUN, UNIT)),
        (tasks.CANARY, ["a daemon of mine"]),
    ],
)
def test_what_ferryman_sends_is_a_task(key: str, task: str, args: Any) -> None:
    assert fault(sent(task, args)) is None


def test_canvas_of_any_depth_is_a_task(key: str) -> None:
    assert fault(sent(chain=[canvas()])) is None


def test_brokers_own_headers_change_nothing(key: str) -> None:
    assert fault(changed(sent(), **{"x-delivery-count": 3, "redelivered": True})) is None


@pytest.mark.parametrize(
    "headers",
    [
        {"expires": "2000-01-01T00:00:00+00:00"},
        {"eta": "2099-01-01T00:00:00+00:00"},
        {"retries": 1},
        {"retries": True},
        {"timelimit": [0.001, None]},
        {"shadow": "another"},
        {"stamped_headers": ["a"], "stamps": {"a": "b"}},
        {"replaced_task_nesting": 1},
        {"group_index": "1"},
        {"ignore_result": "no"},
        {"argsrepr": "x" * 5000},
        {"lang": {}},
        {"id": None},
        {"id": 7},
        {"id": "a\nb"},
        {"task": "celery.map"},
        {"task": "celery.chord_unlock"},
        {"task": []},
        {"chord": {}},
        {"errbacks": []},
        {"compression": "zlib"},
    ],
    ids=str,
)
def test_header_that_ferryman_does_not_send_is_refused(key: str, headers: dict[str, Any]) -> None:
    assert fault(changed(sent(), **headers)) is not None


@pytest.mark.parametrize("former", tasks.FORMER)
def test_message_of_the_release_before_means_what_it_meant(key: str, former: str) -> None:
    args = {tasks.START_RUN: (RUN,), tasks.CANARY: ("daemon",)}.get(tasks.FORMER[former], (RUN, UNIT))
    name = tasks.SYNC_RESOURCE.encode()
    old_chain = orjson.loads(orjson.dumps([canvas()]).replace(name, name + b".v1"))

    assert fault(sent(former, args)) is None
    assert fault(sent(former, (*args, UNIT))) is not None
    assert fault(sent(chain=old_chain)) is None


@pytest.mark.parametrize("name", [f"{tasks.SYNC_UNIT}.v2", f"{tasks.SYNC_UNIT}.v1.v1", "ferryman.v1", ".v1"])
def test_name_that_no_release_gave_is_refused(key: str, name: str) -> None:
    assert fault(sent(name)) == "another task"


@pytest.mark.parametrize(
    "headers",
    [
        {"task": tasks.SYNC_RESOURCE},
        {"task": f"{tasks.SYNC_UNIT}.v1"},
        {"id": new_id()},
        {"group": new_id()},
        {"group_index": 1},
        {"root_id": new_id()},
        {"argsrepr": "['another']"},
        {"origin": "another"},
        {task_messages.SEAL: "0" * 64},
        {task_messages.SEAL: None},
        {task_messages.SEAL: 7},
        {task_messages.SEAL: "\u20ac"},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_signed_message_of_which_a_header_was_changed_is_refused(signed: Signer, headers: dict[str, Any]) -> None:
    assert fault(changed(sent(), **headers)) is not None


def test_signed_body_of_another_message_is_refused(signed: Signer) -> None:
    mine, other = sent(), sent(args=(new_id(), new_id()))

    assert fault(Received(headers=mine.headers, body=other.body, content_type=mine.content_type)) == "not signed"


def test_unsigned_message_is_refused_where_there_is_a_key(signed: Signer) -> None:
    assert fault(Received(headers=sent().headers, body=orjson.dumps([[RUN, UNIT], {}, {}]))) is not None


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        [],
        [[RUN, UNIT]],
        [[RUN], {}, {}],
        [[RUN, UNIT, UNIT], {}, {}],
        [[RUN, 7], {}, {}],
        [[RUN, "forged"], {}, {}],
        [[RUN, UNIT.upper()], {}, {}],
        [[RUN, {"a": 1}], {}, {}],
        [[RUN, UNIT], {"unit_id": UNIT}, {}],
        [[RUN, UNIT], {}, {"callbacks": [{"task": "celery.map"}]}],
        [[RUN, UNIT], {}, {"errbacks": [{}]}],
        [[RUN, UNIT], {}, {"chord": {}}],
        [[RUN, UNIT], {}, {"another": None}],
        [[RUN, UNIT], {}, {"chain": {}}],
        [[RUN, UNIT], {}, {"chain": ["celery.map"]}],
        [[RUN, UNIT], {}, {"chain": [{**canvas(), "task": "celery.chunks"}]}],
        [[RUN, UNIT], {}, {"chain": [{**canvas(), "options": {"link": []}}]}],
        [[RUN, UNIT], {}, {"chain": [{**canvas(), "kwargs": {"tasks": [{}]}}]}],
        [[RUN, UNIT], {}, {"chain": [{**canvas(), "kwargs": {"tasks": "all"}}]}],
    ],
    ids=str,
)
def test_body_of_another_shape_is_refused_even_when_it_is_signed(key: str, body: Any) -> None:
    headers = {"task": tasks.SYNC_UNIT, "id": new_id()}
    if signer := task_messages.read_signer():
        headers[task_messages.SEAL] = signer.seal("task", [headers, body])

    assert fault(received(headers, body)) is not None


@pytest.mark.parametrize(
    ("content_type", "encoding", "body"),
    [
        ("application/x-python-serialize", "binary", b"cos\nsystem\n(S'true'\ntR."),
        ("application/x-yaml", "utf-8", b"- []"),
        ("application/data", "punycode", b"a" * 1_000_000),
        ("application/text", "utf-8", b"text"),
        ("application/json", "punycode", b"[[],{},{}]"),
        ("application/json", "utf-8", b"[" * 200_000),
        ("application/json", "utf-8", b'"' + b"a" * 10_000_000 + b'"'),
        (None, None, None),
        ({}, [], {}),
    ],
    ids=["pickle", "yaml", "data", "text", "codec", "nested", "large", "nothing", "types"],
)
def test_what_is_not_json_is_refused(key: str, content_type: Any, encoding: Any, body: Any) -> None:
    message = Received(headers=sent().headers, body=body, content_type=content_type, content_encoding=encoding)

    assert fault(message) is not None


@pytest.mark.parametrize("headers", [None, [], "task", {}, {1: 2}, {"task": tasks.CANARY}], ids=str)
def test_headers_that_name_no_task_are_refused(key: str, headers: Any) -> None:
    assert fault(Received(headers=headers, body=b"[]")) is not None


@settings(max_examples=EXAMPLES, deadline=None)
@given(name=st.sampled_from(sorted(task_messages._KNOWN)) | st.text(max_size=9), value=json_values, body=json_values)
def test_whatever_a_message_says_is_a_task_or_refused(name: str, value: object, body: object) -> None:
    message = sent()

    for candidate in (
        Received(headers={**message.headers, name: value}, body=message.body),
        Received(headers=message.headers, body=orjson.dumps(body)),
        Received(headers=message.headers, body=orjson.dumps([[RUN, UNIT], {}, {"chain": body}])),
        Received(headers=value, body=message.body),
    ):
        reason = task_messages.find_fault(candidate, None)
        assert reason is None or 0 < len(reason) < 60
