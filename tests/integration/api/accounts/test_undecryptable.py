"""What does not decrypt says so where its owner looks, breaks nothing else, and is mended by new secrets."""

import json

import pytest
from sqlalchemy import Engine, text

from app.engine.json_types import JsonObject
from app.engine.redaction import MASK
from tests.integration.api.calling import Caller, Catalog

GONE = "the data key '00000000' is gone"


def spoil(engine: Engine, table: str, column: str, id: str) -> None:
    with engine.begin() as connection:
        statement = f"update {table} set {column} = cast('k2:00000000:AAAA' as bytea) where id = :id"
        connection.execute(text(statement), {"id": id})


@pytest.fixture
def path(api: Caller, catalog: Catalog, engine: Engine) -> str:
    """The account that does not decrypt, beside one that does."""
    api.post("/integrated-account", {"integration_name": catalog.integration["name"], "tenant_id": "sound"})
    spoil(engine, "integrated_account", "context_encrypted", catalog.account["id"])
    return f"/integrated-account/{catalog.account['id']}"


def test_account_is_listed_and_shown_with_what_is_wrong(api: Caller, path: str) -> None:
    listed = api.get("/integrated-account")
    shown = api.get(path)

    assert (listed.status, len(listed.body["result"]), shown.status) == (200, 2, 200)
    assert shown.body in listed.body["result"]
    assert (shown.body["status"], shown.body["context"]) == ("needs_reauth", {})
    assert shown.body["last_error"] == f"unreadable_secret: send its context again: {GONE}"


@pytest.mark.parametrize("way", ["", "/credentials"], ids=["patch", "credentials"])
def test_account_is_mended_by_new_credentials(api: Caller, path: str, way: str) -> None:
    changed = api.patch(f"{path}{way}", {"context": {"api_key": "new"}})

    assert (changed.status, changed.body["status"], changed.body["last_error"]) == (200, "active", None)
    assert changed.body == api.get(path).body
    assert changed.body["context"] == {"api_key": MASK}


def test_other_changes_leave_it_as_it_is_and_masks_are_refused(api: Caller, path: str) -> None:
    renamed = api.patch(path, {"tenant_id": "renamed"})
    masked = api.patch(path, {"context": {"api_key": MASK}})

    assert (renamed.status, renamed.body["tenant_id"], renamed.body["status"]) == (200, "renamed", "needs_reauth")
    assert (masked.status, masked.paths) == (400, ["context"])
    assert "does not decrypt" in masked.body["message"]


def test_whoever_would_use_its_credentials_is_told_why_that_can_not_be(
    api: Caller, catalog: Catalog, path: str
) -> None:
    answers = [
        api.post("/integrated-account/refresh-credentials", {"id": catalog.account["id"]}),
        api.get("/proxy/users", integrated_account_id=catalog.account["id"]),
        api.post("/sync-job-run", {**catalog.run_body, "mutex_key": "{{context.api_key}}"}),
    ]

    assert [(answer.status, GONE in answer.body["message"]) for answer in answers] == [(400, True)] * 3


def test_account_can_be_deleted(api: Caller, path: str) -> None:
    assert api.delete(path).status == 200
    assert api.get(path).status == 404


@pytest.fixture
def webhook(api: Caller, engine: Engine) -> str:
    """The webhook whose secret does not decrypt, beside one whose does."""
    made: list[JsonObject] = [api.post("/webhook", {"target_url": "https://example.com"}).body for _ in range(2)]
    spoil(engine, "webhook", "secret_encrypted", made[0]["id"])
    return f"/webhook/{made[0]['id']}"


def test_webhook_is_listed_and_shown_with_what_is_wrong(api: Caller, webhook: str) -> None:
    listed = [one["disabled_reason"] for one in api.get("/webhook").body["result"]]
    shown = api.get(webhook)

    assert listed == [None, f"unreadable_secret: {GONE}"]
    assert (shown.status, shown.body["disabled_reason"]) == (200, listed[1])


def test_webhook_shows_its_deliveries_can_be_changed_and_deleted(api: Caller, webhook: str) -> None:
    changed = api.patch(webhook, {"is_active": False})

    assert (changed.status, changed.body["is_active"]) == (200, False)
    assert api.get(f"{webhook}/deliveries").status == 200
    assert api.post("/webhook/test", {"id": changed.body["id"]}).status == 400
    assert (api.delete(webhook).status, api.get(webhook).status) == (200, 404)


def test_webhook_is_mended_by_another_secret(api: Caller, webhook: str) -> None:
    replaced = api.post(f"{webhook}/rotate-secret", {"overlap_seconds": 3600})

    assert (replaced.status, replaced.body["previous_secret_expires_at"]) == (200, None)
    assert replaced.body["secret"].startswith("whsec_")
    assert api.get(webhook).body["disabled_reason"] is None


@pytest.mark.parametrize("sealed", ["A", "AAAA", "ü", "k2:"], ids=["no base64", "nothing sealed", "no ASCII", "a part"])
def test_integration_whose_secret_was_spoiled_is_listed(
    api: Caller, catalog: Catalog, engine: Engine, sealed: str
) -> None:
    config = {**catalog.integration["config"], "headers": {"X-App-Secret": f"ferryman-sealed:{sealed}"}}
    statement = text("update integration set config = cast(:config as jsonb) where id = :id")
    with engine.begin() as connection:
        connection.execute(statement, {"config": json.dumps(config), "id": catalog.integration["id"]})

    listed = api.get("/integration")
    used = api.get("/proxy/users", integrated_account_id=catalog.account["id"])

    assert listed.status == 200
    assert [one["config"]["headers"]["X-App-Secret"] for one in listed.body["result"]] == [MASK]
    assert used.status == 400


def spoil_config(engine: Engine, table: str, column: str, id: str, config: JsonObject) -> None:
    statement = text(f"update {table} set {column} = cast(:config as jsonb) where id = :id")
    with engine.begin() as connection:
        connection.execute(statement, {"config": json.dumps(config), "id": id})


@pytest.fixture(params=["config", "override"])
def spoiled(request: pytest.FixtureRequest, api: Caller, catalog: Catalog, engine: Engine) -> tuple[str, str]:
    """The path of what holds a secret that does not decrypt, and the field that holds it."""
    secret = {"headers": {"X-App-Secret": "ferryman-sealed:AAAA", "X-Plain": "{{context.x}}"}}
    integration_id = catalog.integration["id"]
    if request.param == "config":
        spoil_config(engine, "integration", "config", integration_id, {**catalog.integration["config"], **secret})
        return f"/integration/{integration_id}", "config"
    made = api.post("/environment-integration", {"integration_id": integration_id, "override": {}}).body
    spoil_config(engine, "environment_integration", "override", made["id"], secret)
    return f"/environment-integration/{made['id']}", "override"


def test_integration_and_override_whose_secret_was_spoiled_are_mended_by_another_one(
    api: Caller, catalog: Catalog, spoiled: tuple[str, str]
) -> None:
    path, field = spoiled
    before = api.get("/proxy/users", integrated_account_id=catalog.account["id"])

    mended = api.patch(path, {field: {"headers": {"X-App-Secret": "another-secret-of-the-app"}}})

    assert (before.status, mended.status) == (400, 200)
    assert mended.body[field]["headers"]["X-App-Secret"] == MASK
    # The config is read again, and has no token for this account.
    used = api.get("/proxy/users", integrated_account_id=catalog.account["id"])
    assert (used.status, used.body["message"].startswith("placeholder")) == (400, True)


def test_integration_and_override_whose_secret_was_spoiled_are_shown_and_changed_but_not_by_masks(
    api: Caller, spoiled: tuple[str, str]
) -> None:
    path, field = spoiled
    shown = api.get(path)
    other = {"category": "crm"} if field == "config" else {"show_in_catalog": False}

    changed = api.patch(path, other)
    masked = api.patch(path, {field: {"headers": {"X-App-Secret": MASK}}})

    assert (shown.status, shown.body[field]["headers"]["X-App-Secret"]) == (200, MASK)
    assert (changed.status, other.items() <= changed.body.items()) == (200, True)
    assert (masked.status, masked.paths) == (400, [f"{field}.headers.X-App-Secret"])
    assert "does not decrypt: send it again" in masked.body["message"]
