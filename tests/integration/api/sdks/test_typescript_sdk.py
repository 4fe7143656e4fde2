"""Every call of the official SDK for TypeScript: what it sends, byte for byte, and what its types read of the answers.

The table was recorded from the SDK, which is in no registry: tests/ecosystem/typescript_sdk/record.mjs says how.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.api.errors import unserved
from app.api.resources.services import ApiServices
from app.engine.ids import new_id
from app.engine.json_types import JSON, JsonObject
from app.store.catalog.tokens import TokenStore
from app.store.db.database import connect
from tests.integration.api.calling import Caller
from tests.integration.api.sdks.sdk_world import PICTURE, SdkWorld
from tests.support.upstream import Upstream, reply_raw

TABLE: Final[JsonObject] = json.loads(Path(__file__).with_suffix(".json").read_text())
PAGE: Final = (Path(__file__).parents[4] / "docs" / "api.md").read_text()
PLACEHOLDER: Final = re.compile(r"__([a-z_]+?)__")

NOT_THERE: Final = {
    "Integration.team_id": "whoever runs Ferryman is the only team",
    "Integration.team": "whoever runs Ferryman is the only team",
    "Environment.team_id": "whoever runs Ferryman is the only team",
    "UnifiedModel.team_id": "whoever runs Ferryman is the only team",
    "UnifiedModel.team": "whoever runs Ferryman is the only team",
    "UnifiedModel.scopes": "nobody is let in by scopes",
}
"""Fields that its types have and answers do not."""
OTHERWISE: Final = {
    "SyncJob.default_runtime_version": "a number, as all other clients have it",
    "SyncJobRun.resources": "the array of the items that a run works on",
    "IntegratedAccountTool.body_schema": "null where a method takes no body",
}
"""Fields of another kind than its types say."""
EMPTY: Final = {
    *("ApiToken.created_by", "SyncJob.args_validation", "SyncJob.mutex_key", "SyncJob.state_key"),
    *("SyncJobRun.daemon_id", "SyncJobRun.daemon_group_key", "SyncJobRun.started_at", "SyncJobRun.finished_at"),
    *("Webhook.event_types", "UnifiedModel.description", "Integration.category"),
}
"""Fields that may be null where its types would leave them out."""
MAY_LIST_NOTHING: Final = {"log.list webhooks"}


@dataclass(frozen=True)
class Entry:
    """One request of the SDK."""

    call: str
    method: str
    target: str
    content_type: str | None
    body: str | None

    @property
    def name(self) -> str:
        """The call, without the way that it was made."""
        return self.call.partition(" ")[0]

    @property
    def resource(self) -> str:
        """The first part of the path."""
        return self.target.lstrip("/").partition("?")[0].partition("/")[0]

    @property
    def why_not(self) -> str | None:
        """Why it is not served; None where it is."""
        return unserved.reason(self.target.partition("?")[0], self.method)


ENTRIES: Final = [Entry(**one) for one in TABLE["requests"]]
SERVED: Final = [one for one in ENTRIES if one.why_not is None]


@pytest.fixture(scope="module")
def world(app: Flask, services: ApiServices, database_url: str) -> Iterator[SdkWorld]:
    engine = connect(database_url, pool_size=1)
    _, secret = services.tokens.create(TokenStore(engine).ensure_environment(new_id()), "sdk")
    upstream, hook = Upstream(), Upstream()
    hook.answers("/hook", reply_raw(b"", "text/plain", status=204))
    yield SdkWorld(Caller(app.test_client(), secret), upstream, engine, f"{hook.url}/hook")
    for server in (upstream, hook):
        server.close()
    engine.dispose()


def sent(app: Flask, world: SdkWorld, entry: Entry) -> TestResponse:
    """Send a request with ids in the place of names: those of new things where the request changes what it names."""
    path = entry.target.partition("?")[0]
    own = set(PLACEHOLDER.findall(path)) if entry.method in ("PATCH", "DELETE") else set()

    def filled(text: str) -> str:
        return PLACEHOLDER.sub(lambda found: world.value(found[1], is_fresh=found[1] in own), text)

    target, _, query = filled(entry.target).partition("?")
    data = filled(entry.body or "").encode()
    return app.test_client().open(
        method=entry.method,
        headers={**world.api.headers, **({"Content-Type": entry.content_type} if entry.content_type else {})},
        data=data,
        environ_overrides={"PATH_INFO": target, "QUERY_STRING": query, "CONTENT_LENGTH": str(len(data))},
    )


def kind_of(value: JSON) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def misfits(value: JSON, name: str) -> Iterator[str]:
    """Compare a value with a type of the SDK's, field by field, but for what is known to differ."""
    for field, said in TABLE["types"].get(name, {}).items():
        at = f"{name}.{field}"
        if at in NOT_THERE or (field not in value and said.get("optional")):
            continue
        if field not in value:
            yield f"{at} is missing"
            continue
        held = value[field]
        is_allowed = {kind_of(held), "any"} & {
            *said["kinds"],
            *(["null"] if said.get("optional") or at in EMPTY else []),
        }
        if not is_allowed and at not in OTHERWISE:
            yield f"{at} is {kind_of(held)}, not {' or '.join(said['kinds'])}"
        for one in held if isinstance(held, list) else [held]:
            if isinstance(one, dict) and "of" in said:
                yield from misfits(one, said["of"])


@pytest.mark.parametrize("entry", SERVED, ids=[one.call for one in SERVED])
def test_call_is_answered_as_its_types_say(app: Flask, world: SdkWorld, entry: Entry) -> None:
    if entry.name == "log.list":
        # Something has to have happened.
        world.value("sync_job_run", is_fresh=True)
        account_id = world.value("integrated_account", is_fresh=False)
        assert world.api.get("/proxy/people", integrated_account_id=account_id).status == 200

    expected = TABLE["answers"][entry.name]
    if expected["is_list"]:
        world.value(entry.resource.replace("-", "_"), is_fresh=False)
    answer = sent(app, world, entry)

    assert answer.status_code in (200, 201, 204), answer.get_data(as_text=True)
    if entry.call == "proxyApi.get file":
        assert (answer.data, answer.content_type) == (PICTURE, "image/png")
    if entry.call == "proxyApi.get file" or answer.status_code == 204:
        return
    assert answer.content_type == "application/json"
    body = answer.get_json()
    items = body["result"] if expected["is_list"] else [body]
    assert items or entry.call in MAY_LIST_NOTHING
    if expected["is_list"]:
        assert kind_of(body.get("next_cursor")) in ("null", "string")
    found = {misfit for item in items if expected["of"] for misfit in misfits(item, expected["of"])}
    assert found == set()


def test_what_is_not_served_is_answered_with_the_reason(app: Flask, world: SdkWorld) -> None:
    unclear = []
    for entry in ENTRIES:
        if entry.why_not is None:
            continue
        answer = sent(app, world, entry)
        told = answer.get_json()
        if answer.status_code not in (404, 405) or not told["message"].endswith(f": {entry.why_not}"):
            unclear.append((entry.call, answer.status_code, told["message"]))

    assert unclear == []


def test_fields_go_up_as_they_are(app: Flask, world: SdkWorld) -> None:
    (form,) = [one for one in ENTRIES if one.call == "proxyApi.create form"]

    sent(app, world, form)

    (asked,) = [one for one in world.upstream.asked("/files") if one.method == "POST"][-1:]
    assert (asked.body.decode(), asked.headers["content-type"]) == (form.body, form.content_type)
    assert "truto_body_passthrough" not in asked.query


def test_table_has_every_call_and_the_page_counts_them() -> None:
    calls = {one.name for one in ENTRIES}
    served = {one.name for one in SERVED}

    assert calls == TABLE["answers"].keys()
    assert f"each of its {len(calls)} calls ({TABLE['version']})" in PAGE.replace("\n", " ")
    assert f"{len(served)} are served, {len(calls) - len(served)} are not" in PAGE.replace("\n", " ")
    unknown = [at for at in (*NOT_THERE, *OTHERWISE, *EMPTY) if at.partition(".")[2] not in _fields(at)]
    assert unknown == []


def _fields(at: str) -> JsonObject:
    fields: JsonObject = TABLE["types"].get(at.partition(".")[0], {})
    return fields
