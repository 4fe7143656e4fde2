"""An environment in which each call of an official SDK has something to do: objects by name, made when needed."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, text

from app.engine.ids import new_id
from app.engine.json_types import JsonObject
from app.engine.times import format_utc
from tests.integration.api.calling import Caller
from tests.support.http_server import Request, Response
from tests.support.unified import CONTACT, MAPPINGS
from tests.support.upstream import Upstream, reply, reply_raw

INTEGRATION = "acme"
PICTURE = b"\x89PNG kept as it is"
_ITEMS = [{"resource": "people", "method": "list", "persist": True}]
_WHOLE = {method: {"response_path": ""} for method in ("get", "create", "update")}
_SEARCH = {"method": "post", "path": "/people/search", "response_path": "", "description": "Find people"}
_CONFIG = {
    "label": "Acme",
    "pagination": {"format": "cursor", "config": {"cursor_path": "next_cursor", "cursor_param": "cursor"}},
    "response_path": "data",
    "resources": {"people": {"list": {}, **_WHOLE, "search": _SEARCH}, "files": {"get": {}, "create": {}}},
    "tool_tags": {"people": ["crm"]},
}


@dataclass
class SdkWorld:
    """What an SDK's calls name."""

    api: Caller
    upstream: Upstream
    engine: Engine
    receiver: str
    _shared: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.environment = self.api.get("/environment").body["result"][0]["id"]
        self.integration = self._made("integration", {"name": INTEGRATION, "config": self._config()})["id"]
        self._model = self._made("unified-model", _model("crm"))["id"]
        self._shared |= {"integration": self.integration, "unified_model": self._model}
        self._map()
        self._answer()

    def value(self, name: str, *, is_fresh: bool) -> str:
        """Return what a name stands for: the id of something that is there, one of its own if it is to be changed."""
        texts = {
            "environment": self.environment,
            "integration_name": INTEGRATION,
            "receiver": self.receiver,
            "fresh_name": f"fresh-{new_id()}",
            "recently": format_utc(datetime.now(UTC) - timedelta(hours=1)),
        }
        if name in texts:
            return texts[name]
        make: Callable[[], str] = getattr(self, f"_make_{name}", new_id)
        if is_fresh:
            return make()
        if name not in self._shared:
            self._shared[name] = make()
        return self._shared[name]

    def _make_integration(self) -> str:
        return self._made("integration", {"name": f"other-{new_id()}", "config": self._config()})["id"]

    def _make_environment_integration(self) -> str:
        integration_id = self._make_integration()
        return self._made("environment-integration", {"integration_id": integration_id})["id"]

    def _make_integrated_account(self) -> str:
        token = {"access_token": "old", "refresh_token": "fresh", "expires_at": "2999-01-01T00:00:00Z"}
        self._made("environment-integration", {"integration_id": self.integration})
        body = {"integration_name": INTEGRATION, "tenant_id": "acme-1", "context": {"oauth": {"token": token}}}
        return self._made("integrated-account", body)["id"]

    def _make_sync_job(self) -> str:
        return self._made("sync-job", {"integration_name": INTEGRATION, "resources": _ITEMS})["id"]

    def _make_sync_job_run(self) -> str:
        return self._made("sync-job-run", self._of_job())["id"]

    def _make_sync_job_cron_trigger(self) -> str:
        return self._made("sync-job-cron-trigger", {**self._of_job(), "cron_expression": "0 3 * * *"})["id"]

    def _make_webhook(self) -> str:
        return self._made("webhook", {"target_url": self.receiver})["id"]

    def _make_unified_model(self) -> str:
        return self._made("unified-model", _model(f"other-{new_id()}"))["id"]

    def _make_environment_unified_model(self) -> str:
        return self._made("environment-unified-model", {"unified_model_id": self._make_unified_model()})["id"]

    def _make_api_token(self) -> str:
        return self._made("api-token", {"name": "other", "role": "read"})["id"]

    def _make_daemon(self) -> str:
        """Enrol a daemon, as one that starts does."""
        id, values = new_id(), "(:id, :id, 'default', 'active', '{}', now())"
        statement = f"insert into daemon (id, label, group_key, status, metadata, last_active_at) values {values}"
        with self.engine.begin() as connection:
            connection.execute(text(statement), {"id": id})
        return id

    def _of_job(self) -> JsonObject:
        account = self.value("integrated_account", is_fresh=False)
        return {"sync_job_id": self.value("sync_job", is_fresh=False), "integrated_account_id": account}

    def _config(self) -> JsonObject:
        oauth = {"client": {"id": "c", "secret": "s"}, "auth": {"tokenHost": self.upstream.url, "tokenPath": "/token"}}
        return {**_CONFIG, "base_url": self.upstream.url, "credentials": {"format": "oauth2", "config": oauth}}

    def _made(self, collection: str, body: JsonObject) -> JsonObject:
        answer = self.api.post(f"/{collection}", body)
        assert answer.status in (200, 201), answer.body
        made: JsonObject = answer.body
        return made

    def _map(self) -> None:
        update = {"resource": "people", "response_mapping": CONTACT, "request_body_mapping": '{"name": body.name}'}
        search = {**update, "method": "search"}
        for (resource, method), config in {
            **MAPPINGS,
            ("contacts", "update"): update,
            ("contacts", "search"): search,
        }.items():
            place = {"resource_name": resource, "method_name": method, "integration_name": INTEGRATION}
            self._made("unified-model-resource-method", {**place, "unified_model_id": self._model, "config": config})

    def _answer(self) -> None:
        people = [{"id": number, "name": f"n{number}"} for number in range(3)]
        self.upstream.lists("/people", people, page_size=2)
        listing = self.upstream._answers["/people"]
        self.upstream.answers("/people", lambda asked: _person(asked) if asked.method == "POST" else listing(asked))
        for path in ("/people/2", "/people/search"):
            self.upstream.answers(path, _person)
        self.upstream.answers("/files", lambda asked: reply({"data": {"id": 7, "size": len(asked.body)}}))
        self.upstream.answers("/files/7", reply_raw(PICTURE, "image/png"))
        self.upstream.answers("/token", reply({"access_token": "new", "refresh_token": "fresh", "expires_in": 3600}))


def _model(name: str) -> JsonObject:
    methods = ["list", "get", "create", "update", "delete", "search"]
    contacts = {"description": "People", "methods": methods, "schema": {"type": "object"}}
    return {"name": name, "category": "crm", "resources": {"contacts": contacts, "notes": {"methods": ["list"]}}}


def _person(asked: Request) -> Response:
    if asked.method == "DELETE":
        return reply_raw(b"", status=204)
    sent = json.loads(asked.body) if asked.body else {}
    return reply({"id": 2, "name": "n2", **(sent if isinstance(sent, dict) else {"many": sent})})
