"""Answers are what ``/openapi.json`` says, of every operation: what is required is there, what is null may be null."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest
from flask import Flask
from sqlalchemy import Engine

from app.api.application import create_app
from app.api.resources.services import ApiServices
from app.engine.ids import new_id
from app.engine.objects.environments import EnvironmentId
from app.settings import Settings
from app.store.catalog.tokens import TokenStore
from app.store.db.database import connect
from tests.integration.api.calling import Caller
from tests.integration.api.recorded_answers import Recording
from tests.integration.api.sdk_world import SdkWorld
from tests.integration.api.test_typescript_sdk import SERVED, sent
from tests.integration.api.walled_worlds import World, furnished, operations_of, path_of, query_of
from tests.support.upstream import Upstream, reply_raw

UNANSWERED: Final[dict[str, str]] = {}
"""Operations that do not succeed in these worlds, each with the test in which it does."""
NEVER_NULL: Final[dict[str, str]] = {}
"""Fields that may be null and are not in these worlds, each with when they are."""
_IN_TURN: Final = ("GET", "PATCH", "POST", "DELETE")
"""What takes things away comes last."""


@pytest.fixture(scope="module")
def recording(services: ApiServices, settings: Settings, database_url: str) -> Iterator[Recording]:
    """What an application answers when each of its operations is called, and the SDK makes all of its calls."""
    app, engine, recording = create_app(services, settings), connect(database_url, pool_size=1), Recording()
    recording.attach(app)
    environment_id = TokenStore(engine).ensure_environment(new_id())
    walk(furnished(caller(app, services, environment_id), "mine", environment_id, engine), recording)
    with sdk_world(caller(app, services, TokenStore(engine).ensure_environment(new_id())), engine) as world:
        for entry in SERVED:
            sent(app, world, entry)
    yield recording
    engine.dispose()


def caller(app: Flask, services: ApiServices, environment_id: EnvironmentId) -> Caller:
    return Caller(app.test_client(), services.tokens.create(environment_id, "walker")[1])


def walk(world: World, recording: Recording) -> None:
    for operation in sorted(operations_of(recording.document), key=lambda one: _IN_TURN.index(one.method)):
        body = world.bodies.get(operation.path, {}) if operation.body is not None else None
        path, query = path_of(operation, world), query_of(operation, world)
        world.caller.call(operation.method, path, body, query_string=query)


@contextmanager
def sdk_world(api: Caller, engine: Engine) -> Iterator[SdkWorld]:
    upstream, hook = Upstream(), Upstream()
    hook.answers("/hook", reply_raw(b"", "text/plain", status=204))
    yield SdkWorld(api, upstream, engine, f"{hook.url}/hook")
    for server in (upstream, hook):
        server.close()


def test_every_answer_is_as_documented(recording: Recording) -> None:
    assert sorted({*recording.list_contradictions()}) == []
    assert {one.name for one in recording.fields() if not one.is_known} == set()


def test_every_operation_has_answered(recording: Recording) -> None:
    answered = {one.operation for one in recording.answers}

    assert recording.documented.keys() - answered == UNANSWERED.keys()
    assert len(answered) > 100


def test_what_may_be_null_is_null_somewhere(recording: Recording) -> None:
    null = {one.name for one in recording.fields() if one.is_null}

    assert recording.always_nullable() - null == NEVER_NULL.keys()
