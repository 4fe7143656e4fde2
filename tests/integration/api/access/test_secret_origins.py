"""Secrets go where they were given for, whatever somebody configures afterwards."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import Engine, text

from app.bootstrap.operator_secrets import build_origin_approval
from app.engine.json_types import JSON, JsonObject
from app.engine.redaction import MASK
from app.services.accounts.origin_approval import OriginApproval
from app.settings import Settings
from tests.integration.api.calling import Answer, Caller
from tests.support.upstream import Upstream, reply

CONTEXT: JsonObject = {"api_key": "canary-key", "refresh_secret": "canary-refresh", "plan": "free"}


@dataclass(frozen=True, slots=True)
class World:
    """An account at one upstream, and another upstream that somebody would like to have its secrets."""

    api: Caller
    own: Upstream
    evil: Upstream
    integration: JsonObject
    account_id: str

    def called(self) -> Answer:
        return self.api.get("/proxy/people", integrated_account_id=self.account_id)

    def account(self) -> JsonObject:
        answer: JsonObject = self.api.get(f"/integrated-account/{self.account_id}").body
        return answer

    def change(self, body: JsonObject) -> Answer:
        return self.api.patch(f"/integrated-account/{self.account_id}", body)

    def configure(self, config: JsonObject) -> Answer:
        return self.api.patch(f"/integration/{self.integration['id']}", {"config": config})


@pytest.fixture
def approval(settings: Settings, engine: Engine) -> OriginApproval:
    return build_origin_approval(settings, engine)


def world_of(api: Caller, own: Upstream, evil: Upstream, config: JsonObject, context: JsonObject) -> World:
    for upstream in (own, evil):
        upstream.answers("/people", reply([{"id": 1}]))
    integration = api.post("/integration", {"name": "acme", "config": config})
    assert integration.status == 201, integration.body
    account = {"integration_name": "acme", "tenant_id": "t", "context": context}
    return World(api, own, evil, integration.body, api.post("/integrated-account", account).body["id"])


@pytest.fixture
def evil() -> Iterator[Upstream]:
    upstream = Upstream()
    yield upstream
    upstream.close()


@pytest.fixture
def world(api: Caller, upstream: Upstream, evil: Upstream) -> World:
    config = {
        "base_url": "{{context.site}}",
        "non_secret": ["context.site", "context.plan"],
        "authorization": {"format": "header", "header_name": "X-Key", "header_value": "{{context.api_key}}"},
        "credentials": {"api_key": {"fields": [{"name": "site"}, {"name": "api_key"}]}},
    }
    return world_of(api, upstream, evil, config, {**CONTEXT, "site": upstream.url})


def by_integration(world: World, url: str) -> None:
    assert world.configure({"base_url": url}).status == 200


def by_environment(world: World, url: str) -> None:
    body = {"integration_id": world.integration["id"], "override": {"base_url": url}}
    assert world.api.post("/environment-integration", body).status in (200, 201)


def by_account(world: World, url: str) -> None:
    assert world.change({"integration_override": {"base_url": url}}).status == 200


def by_method(world: World, url: str) -> None:
    assert world.configure({"resources": {"people": {"list": {"base_url": url}}}}).status == 200


def by_context(world: World, url: str) -> None:
    assert world.change({"context": {"site": url, "api_key": MASK}}).status == 200


def by_own_token(world: World, url: str) -> None:
    issued = world.api.post("/integrated-account/token", {"integrated_account_id": world.account_id}).body
    headers = {"Authorization": f"Bearer {issued['integrated_account_token']}"}
    answer = world.api.call("PATCH", "/integrated-account/me", {"context": {"site": url}}, headers=headers)
    assert answer.status == 200, answer.body


WAYS = [by_integration, by_environment, by_account, by_method, by_context, by_own_token]


@pytest.mark.parametrize("way", WAYS)
def test_an_accounts_secrets_do_not_go_where_somebody_points_them(world: World, way: object) -> None:
    assert callable(way)
    assert (world.called().status, world.account()["status"]) == (200, "active")

    way(world, world.evil.url)
    refused, told = world.called(), world.account()
    (listed,) = world.api.get("/integrated-account").body["result"]
    way(world, world.own.url)
    again = world.called()

    assert "another origin" in refused.body["message"]
    assert refused.status >= 400
    assert world.evil.requests == []
    assert (told["status"], told["last_error"].startswith("origin_changed: ")) == ("needs_reauth", True)
    assert listed["status"] == "needs_reauth"
    assert (again.status, world.account()["status"], world.account()["last_error"]) == (200, "active", None)
    assert world.own.requests[-1].headers["x-key"] == "canary-key"


@pytest.mark.parametrize("base", ["https://{{context.api_key}}.evil.test", "https://{{context.api_key:segment}}/x"])
def test_no_secret_is_told_by_a_host_that_it_was_put_into(world: World, base: str) -> None:
    by_integration(world, base)

    told = [world.called().body, world.account(), world.api.get("/integrated-account").body]

    assert "canary" not in str(told)
    assert "origin_changed" in str(told)


def test_a_run_is_told_and_sends_nothing(world: World) -> None:
    job = {"integration_name": "acme", "resources": [{"resource": "people", "method": "list"}]}
    run = {"sync_job_id": world.api.post("/sync-job", job).body["id"], "integrated_account_id": world.account_id}
    by_integration(world, world.evil.url)

    tried = world.api.post("/sync-job-run?dry_run=true", run).body["resources"][0]

    assert tried["error"]["code"] == "origin_changed"
    assert world.evil.requests == []


@pytest.mark.parametrize(
    ("context", "goes"),
    [
        ({"api_key": "new", "refresh_secret": "new"}, True),
        ({"api_key": "canary-key", "refresh_secret": "canary-refresh"}, True),
        ({"api_key": "new"}, False),
        ({"api_key": "new", "refresh_secret": MASK}, False),
        ({"api_key": MASK, "refresh_secret": MASK}, False),
        ({"plan": "paid"}, False),
        ({"api_key": "new", "refresh_secret": None}, True),
    ],
)
def test_secrets_go_elsewhere_once_all_of_them_are_entered_again(world: World, context: JsonObject, goes: bool) -> None:
    assert world.change({"context": {**context, "site": world.evil.url}}).status == 200

    assert (world.called().status == 200) is goes
    assert bool(world.evil.requests) is goes
    assert "canary" not in str([request.headers for request in world.evil.requests]) or context["api_key"] != "new"


def test_an_operator_may_approve(world: World, approval: OriginApproval) -> None:
    by_integration(world, world.evil.url)

    assert approval.approve_account(world.account_id) == [world.evil.url]

    assert (world.called().status, len(world.evil.requests), world.account()["status"]) == (200, 1, "active")


def test_what_an_account_of_before_was_given_for_is_noted_at_its_first_use(world: World, engine: Engine) -> None:
    forget = text("update integrated_account set origins = null where id = :id")
    with engine.begin() as connection:
        connection.execute(forget, {"id": world.account_id})

    assert world.called().status == 200
    by_integration(world, world.evil.url)

    assert world.called().status >= 400
    assert world.evil.requests == []


# --- secrets of the integration itself -------------------------------------------------------------------------------


@pytest.fixture
def shared(api: Caller, upstream: Upstream, evil: Upstream) -> World:
    """An integration with a key of its own; its accounts have none."""
    config = {
        "base_url": upstream.url,
        "non_secret": ["context.plan"],
        "authorization": {"format": "header", "header_name": "X-Key", "header_value": "canary-literal"},
        "query": {"api_key": "canary-query"},
    }
    return world_of(api, upstream, evil, config, {"plan": "free"})


KEY: JsonObject = {"format": "header", "header_name": "X-Key", "header_value": "new"}
MASKED: JsonObject = {**KEY, "header_value": MASK}


@pytest.mark.parametrize(
    ("entered", "goes"),
    [
        ({}, False),
        ({"authorization": MASKED, "query": {"api_key": MASK}}, False),
        ({"authorization": KEY}, False),
        ({"authorization": KEY, "query": {"api_key": "new"}}, True),
        ({"authorization": KEY, "query": None}, True),
        ({"authorization": None, "query": None}, True),
    ],
    ids=["nothing", "masks", "one of two", "all", "one, and none else", "none is left"],
)
@pytest.mark.parametrize("way", ["base_url", "allowed_hosts"])
def test_an_integrations_secrets_do_not_go_where_somebody_points_them(
    shared: World, entered: JsonObject, goes: bool, way: str
) -> None:
    hosts: JsonObject = {"allowed_hosts": ["127.0.0.1:*"]} if way == "allowed_hosts" else {}
    changed = shared.configure({"base_url": shared.evil.url, **hosts, **entered})

    answer = shared.called()

    assert changed.status == 200, changed.body
    assert (answer.status == 200) is goes
    assert bool(shared.evil.requests) is goes
    assert "canary" not in str([(request.headers, request.target) for request in shared.evil.requests])
    assert goes or "own secrets were given for other hosts" in answer.body["message"]


@pytest.mark.parametrize("way", [by_environment, by_account])
def test_no_override_leads_an_integrations_secrets_elsewhere(shared: World, way: object) -> None:
    assert callable(way)

    way(shared, shared.evil.url)

    assert shared.called().status >= 400
    assert shared.evil.requests == []
    assert shared.configure({"label": "Acme"}).status == 200
    assert shared.called().status >= 400


def test_secrets_of_overrides_do_not_go_where_somebody_points_them(world: World) -> None:
    key: JsonObject = {"X-Api-Key": "canary-override"}
    body = {"integration_id": world.integration["id"], "override": {"base_url": world.own.url, "headers": key}}
    assert world.api.post("/environment-integration", body).status == 201
    assert (
        world.change({"integration_override": {"query": {"api_key": "canary-of-account"}}, "context": {}}).status == 200
    )
    assert world.called().status == 200
    entered = {**CONTEXT, "api_key": "new", "refresh_secret": "new"}

    moved = [
        {**body, "override": {"base_url": world.evil.url, "headers": {"X-Api-Key": MASK}}},
        {**body, "override": {"base_url": world.evil.url, "headers": {"X-Api-Key": "new"}}},
    ]
    for change in moved:
        assert world.api.post("/environment-integration", change).status == 200
        assert world.change({"context": entered}).status == 200
        assert world.called().status >= 400
    masked: JsonObject = {"base_url": world.evil.url, "query": {"api_key": MASK}}
    assert world.change({"integration_override": masked}).status == 200
    assert world.called().status >= 400
    assert world.evil.requests == []
    assert world.change({"integration_override": {"query": {"api_key": "new"}}, "context": entered}).status == 200

    assert world.called().status == 200
    assert "canary" not in str([(request.headers, request.target) for request in world.evil.requests])


def test_an_integrations_hosts_are_approved_by_an_operator(shared: World, approval: OriginApproval) -> None:
    shared.configure({"base_url": shared.evil.url})

    hosts = approval.approve_integration(str(shared.integration["id"]))

    assert (shared.called().status, list(hosts)) == (200, [shared.evil.url.removeprefix("http://")])


def test_integrations_without_hosts_are_found(api: Caller, approval: OriginApproval, engine: Engine) -> None:
    key: JSON = {"format": "bearer", "token": "literal-token"}
    config = {"base_url": "{{context.site}}", "allowed_hosts": ["a.test"], "authorization": key}
    refused = api.post("/integration", {"name": "open", "config": {**config, "allowed_hosts": None}})
    id = api.post("/integration", {"name": "open", "config": config}).body["id"]
    assert id not in {found.id for found in approval.find_without_hosts()}

    with engine.begin() as connection:
        connection.execute(text("update integration set config = config - 'allowed_hosts' where id = :id"), {"id": id})

    assert (refused.status, refused.paths) == (400, ["config.allowed_hosts"])
    assert id in {found.id for found in approval.find_without_hosts()}
