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
from tests.integration.api.sdks.sdk_world import SdkWorld
from tests.integration.api.sdks.test_typescript_sdk import SERVED, sent
from tests.integration.api.walled_worlds import World, furnished, operations_of, path_of, query_of
from tests.support.upstream import Upstream, reply_raw

UNANSWERED: Final[dict[str, str]] = {
    "DELETE /custom/{path}": "the upstream's own answer, which is empty: test_typescript_sdk",
    "DELETE /integrated-account/{id}/budget": "there is no broker: test_budgets",
    "DELETE /record": "bulk-delete has removed the account: test_erased_accounts",
    "DELETE /tenant/{id}": "it still has an account: test_tenants",
    "GET /erasure/{id}": "nothing is erased before the walk: test_erased_accounts",
    "PATCH /integrated-account/me": "the integration asks for nothing: test_tokens_of_accounts",
    "POST /datastore/{id}/test": "the datastore is nowhere: tests/integration/destinations",
    "POST /datastore/{id}/test/{method}": "the datastore is nowhere: tests/integration/destinations",
    "POST /integrated-account/restore": "nothing was deleted before the walk: test_erased_accounts",
    "POST /integrated-account/run-post-install-actions": "the integration has none: test_offered",
    "POST /notification-destination/{id}/test": "its mail server is nowhere: tests/integration/notifications",
    "POST /record/restore": "the run has deleted nothing: test_vanished_records",
}
"""Operations that do not succeed in these worlds, each with the test in which they do."""
_OF_RUNS: Final = "a run that has begun: no daemon takes one up here"
_OF_CURSORS: Final = "an account that is written somewhere: no daemon writes here"
_OF_NOBODY: Final = "what Ferryman changes itself: test_audit_log"
_OF_TOOLS: Final = "a method that says nothing of it"
NEVER_NULL: Final[dict[str, str]] = {
    "Account.environment_integration_id": "an account of before integrations were installed",
    "RefreshedAccount.environment_integration_id": "an account of before integrations were installed",
    "AuditEntry.actor_id": _OF_NOBODY,
    "AuditEntry.actor_name": _OF_NOBODY,
    "AuditEntry.operation": _OF_NOBODY,
    "AuditEntry.remote_address": _OF_NOBODY,
    "AuditEntry.request_id": _OF_NOBODY,
    "BudgetQuota.size": "a limit whose size the upstream does not tell",
    "CalledMethod.method": "a tool that calls an address of its own",
    "CalledMethod.resource": "a tool that calls an address of its own",
    "CreatedNotificationDestination.label": "one without a label",
    "CreatedToken.created_by": "a token of the command line",
    "Cursor.error_code": _OF_CURSORS,
    "Cursor.failing_since": _OF_CURSORS,
    "Cursor.last_error": _OF_CURSORS,
    "Cursor.written_at": _OF_CURSORS,
    "Daemon.last_active_at": "a daemon that has not reported yet",
    "Delivery.last_error": "a delivery that nobody refused",
    "Delivery.sync_job_run_id": "a test event, or one of an account",
    "DeliveryWithBody.body": "a delivery whose body is pruned",
    "DeliveryWithBody.last_error": "a delivery that nobody refused",
    "DeliveryWithBody.sync_job_run_id": "a test event, or one of an account",
    "Destination.label": "a destination without a label",
    "DirectList.limit": "a list by an upstream's own size of pages",
    "DirectList.next_cursor": "the last page of an upstream's list",
    "Erasure.finished_at": "an erasure under way",
    "Erasure.last_error": "an erasure without a fault",
    "Erasure.resource": "the erasure of a whole account",
    "Erasure.started_at": "an erasure that waits",
    "Estimate.requests_per_second": _OF_RUNS,
    "Estimate.seconds_at_least": _OF_RUNS,
    "LastRun.error": _OF_RUNS,
    "LastRun.sync_job_run_id": _OF_RUNS,
    "MethodMeta.description": _OF_TOOLS,
    "MethodMeta.response_mapping": _OF_TOOLS,
    "NotificationDestination.label": "one without a label",
    "NotificationRule.label": "a rule without a label",
    "NotificationRule.sync_job_id": "a rule of all jobs",
    "ProxyMethod.api_documentation_url": _OF_TOOLS,
    "ProxyMethod.description": _OF_TOOLS,
    "RecordFault.record_id": "a fault of no single record",
    "RunDestination.label": "a destination without a label, of a run that has waited for it",
    "RunError.resource": "an error of the run as a whole",
    "RunReason.resource": "an error of the run as a whole",
    "ShownRequest.body": "a dry run of a request without a body",
    "Template.integration_name": "a template for any integration",
    "TriedItem.depends_on": "a dry run of a root",
}
"""Fields that may be null and are not in these worlds, each with what has null there."""
_IN_TURN: Final = ("GET", "PUT", "PATCH", "POST", "DELETE")
"""What takes things away comes last."""


@pytest.fixture(scope="module")
def recording(services: ApiServices, settings: Settings, database_url: str) -> Iterator[Recording]:
    """What an application answers when each of its operations is called, and the SDK makes all of its calls."""
    app, engine, recording = create_app(services, settings), connect(database_url, pool_size=1), Recording()
    recording.attach(app)
    environment_id = TokenStore(engine).ensure_environment(new_id())
    walk(app, furnished(caller(app, services, environment_id), "mine", environment_id, engine), recording)
    with sdk_world(caller(app, services, TokenStore(engine).ensure_environment(new_id())), engine) as world:
        for entry in SERVED:
            sent(app, world, entry)
    yield recording
    engine.dispose()


def caller(app: Flask, services: ApiServices, environment_id: EnvironmentId) -> Caller:
    return Caller(app.test_client(), services.tokens.create(environment_id, "walker")[1])


def walk(app: Flask, world: World, recording: Recording) -> None:
    operations = list(operations_of(recording.document))
    for method in _IN_TURN:
        # What others belong to is declared before them, and deleted after them.
        for operation in reversed(operations) if method == "DELETE" else operations:
            if operation.method == method:
                body = world.bodies.get(operation.path, {}) if operation.body is not None else None
                path, query = path_of(operation, world), query_of(operation, world)
                caller_of(app, world, path).call(method, path, body, query_string=query)


def caller_of(app: Flask, world: World, path: str) -> Caller:
    """Return who may call a path: an account's own, by its token alone."""
    if path != "/integrated-account/me":
        return world.caller
    answer = world.caller.post("/integrated-account/token", world.bodies["/integrated-account/token"])
    return Caller(app.test_client(), answer.body["integrated_account_token"])


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

    assert sorted(recording.documented.keys() - answered) == sorted(UNANSWERED)
    assert len(answered) > 100


def test_what_may_be_null_is_null_somewhere(recording: Recording) -> None:
    null = {one.name for one in recording.fields() if one.is_null}

    assert sorted(recording.always_nullable() - null) == sorted(NEVER_NULL)
