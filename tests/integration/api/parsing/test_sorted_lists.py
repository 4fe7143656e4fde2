"""Lists in the order that the caller wants, page by page, and narrowed by what docs/wire.md B says of each."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from sqlalchemy import Engine, text

from app.engine.ids import new_id
from app.engine.json_types import JsonObject
from app.store.maintenance.daemons import DaemonStore
from tests.integration.api.calling import CONFIG, RESOURCES, Caller, Catalog

NAMES = ("beta", "alpha", "beta", "gamma")
"""What the things of a list are called: some alike, and not in the order of their making."""
MODEL = {"resources": {"alpha": {}, "beta": {}, "gamma": {}}}
SORTS: Mapping[str, tuple[str, ...]] = {
    "sync-job": ("label", "integration_name"),
    "sync-job-template": ("label", "integration_name"),
    "sync-job-cron-trigger": (),
    "integration": ("name",),
    "environment-integration": (),
    "integrated-account": ("tenant_id", "integration_name"),
    "webhook": (),
    "unified-model": ("name",),
    "environment-unified-model": (),
    "unified-model-resource-method": ("resource_name", "integration_name", "method_name"),
    "environment-unified-model-resource-method": ("resource_name", "integration_name", "method_name"),
    "api-token": ("name",),
    "environment": ("name",),
}
"""Beside created_at and updated_at."""
OTHERS = {
    "sync-job-run": "created_at, -created_at",
    "sync-job-run-state?state_key=x": "created_at, -created_at",
    "log?log_type=sync_job_cron_trigger": "created_at, -created_at",
    "daemon": "id, -id, created_at, -created_at, updated_at, -updated_at, label, -label, group_key, -group_key",
}


def walked(api: Caller, path: str, sort: str, **narrowed: str) -> list[JsonObject]:
    """Go through a list by its cursors."""
    found: list[JsonObject] = []
    cursor = ""
    while True:
        page = api.get(path, sort=sort, limit=2, next_cursor=cursor, **narrowed).body
        found += page["result"]
        if page["next_cursor"] is None:
            return found
        assert len(page["result"]) == 2
        cursor = page["next_cursor"]


def bodies(api: Caller, catalog: Catalog, collection: str) -> Iterator[JsonObject]:
    """Make bodies of things that differ in what their list may be sorted by."""
    integrations = {name: {"name": f"{name}-{new_id()}", "config": CONFIG} for name in {*NAMES}}
    made = {name: api.post("/integration", body).body for name, body in integrations.items()}
    for number, name in enumerate(NAMES):
        forms: Mapping[str, JsonObject] = {
            "sync-job": {"integration_name": made[name]["name"], "label": name, "resources": RESOURCES},
            "sync-job-template": {"integration_name": None if name == "beta" else name, "label": name},
            "sync-job-cron-trigger": {**catalog.run_body, "cron_expression": "0 3 * * *"},
            "integration": {"name": f"{name}-{number}", "config": CONFIG},
            "unified-model": {"name": f"{name}-{number}"},
            "integrated-account": {"integration_name": made[name]["name"], "tenant_id": name},
            "webhook": {"target_url": "https://example.com"},
            "api-token": {"name": name, "role": "read"},
        }
        yield forms[collection]


@pytest.mark.parametrize(
    ("collection", "column"),
    [
        (collection, column)
        for collection in ("sync-job", "sync-job-template", "integration", "integrated-account", "unified-model")
        for column in SORTS[collection]
    ]
    + [("api-token", "name")],
)
def test_list_is_sorted_by_a_text_up_and_down_page_by_page(
    api: Caller, catalog: Catalog, collection: str, column: str
) -> None:
    for body in bodies(api, catalog, collection):
        assert api.post(f"/{collection}", body).status == 201

    up, down = walked(api, f"/{collection}", column), walked(api, f"/{collection}", f"-{column}")

    assert len(up) >= len(NAMES)
    assert [one["id"] for one in up] == [one["id"] for one in reversed(down)]
    assert up == sorted(up, key=lambda one: (one[column] or "", one["id"]))


@pytest.mark.parametrize("column", SORTS["unified-model-resource-method"])
@pytest.mark.parametrize("layer", ["unified-model-resource-method", "environment-unified-model-resource-method"])
def test_mappings_are_sorted_by_their_place(api: Caller, catalog: Catalog, layer: str, column: str) -> None:
    model = api.post("/unified-model", {"name": "crm", **MODEL}).body
    installed = api.post("/environment-unified-model", {"unified_model_id": model["id"]}).body
    owner = {"environment_unified_model_id": installed["id"]} if "env" in layer else {"unified_model_id": model["id"]}
    for resource, method in (("beta", "list"), ("alpha", "list"), ("beta", "get"), ("gamma", "create")):
        place = {"integration_name": "acme", "resource_name": resource, "method_name": method}
        assert api.post(f"/{layer}", {**owner, **place}).status == 201

    up = walked(api, f"/{layer}", column)

    assert len(up) == 4
    assert up == sorted(up, key=lambda one: (one[column], one["id"]))


@pytest.mark.parametrize("collection", ["sync-job", "integrated-account", "webhook", "sync-job-cron-trigger"])
def test_list_is_sorted_by_the_last_change(api: Caller, catalog: Catalog, collection: str) -> None:
    ids = [api.post(f"/{collection}", body).body["id"] for body in bodies(api, catalog, collection)]
    for id in (ids[2], ids[0]):
        assert api.patch(f"/{collection}/{id}", {}).status == 200

    up, down = walked(api, f"/{collection}", "updated_at"), walked(api, f"/{collection}", "-updated_at")

    expected = [ids[1], ids[3], ids[2], ids[0]]
    assert [one["id"] for one in up if one["id"] in ids] == expected
    assert [one["id"] for one in down if one["id"] in ids] == expected[::-1]


@pytest.fixture
def daemons(engine: Engine) -> Iterator[list[tuple[str, str]]]:
    """Ids and labels of the daemons of a group that is called as they all begin, which no other test sees."""
    group = new_id()
    store = DaemonStore(engine)
    rows = [(f"{group}-{number}", label) for number, label in enumerate(NAMES)]
    for id, label in rows:
        store.register(id, group_key=group, label=label, metadata={})
    yield rows
    with engine.begin() as connection:
        connection.execute(text("delete from daemon where group_key = :group"), {"group": group})


def test_daemons_are_sorted_by_id_unless_otherwise_wished(api: Caller, daemons: list[tuple[str, str]]) -> None:
    rows, group = daemons, daemons[0][0].rpartition("-")[0]

    def shown(sort: str) -> list[tuple[str, str]]:
        return [(one["id"], one["label"]) for one in walked(api, "/daemon", sort, group_key=group)]

    assert shown("") == shown("id") == shown("created_at") == shown("group_key") == rows
    assert shown("-id") == rows[::-1]
    assert shown("label") == sorted(rows, key=lambda row: (row[1], row[0]))


@pytest.mark.parametrize("collection", SORTS)
def test_every_list_of_few_is_sorted_by_its_times_and_names(api: Caller, collection: str) -> None:
    known = [way for column in ("created_at", "updated_at", *SORTS[collection]) for way in (column, f"-{column}")]

    answers = [api.get(f"/{collection}", sort=way) for way in known]
    refused = api.get(f"/{collection}", sort="config")

    assert [answer.status for answer in answers] == [200] * len(known)
    assert (refused.status, refused.paths) == (400, ["sort"])
    assert refused.body["message"] == f"sort: expected one of: {', '.join(known)}"


@pytest.mark.parametrize("path", OTHERS)
def test_refused_order_is_answered_by_those_there_are(api: Caller, path: str) -> None:
    refused = api.call("GET", f"/{path}{'&' if '?' in path else '?'}sort=status")

    assert (refused.status, refused.body["message"]) == (400, f"sort: expected one of: {OTHERS[path]}")


@pytest.mark.parametrize("other", ["-label", "created_at", "-created_at", "updated_at", ""])
def test_cursor_of_another_order_is_refused(api: Caller, catalog: Catalog, other: str) -> None:
    api.post("/sync-job", {"integration_name": "acme", "label": "second"})
    cursor = api.get("/sync-job", sort="label", limit=1).body["next_cursor"]

    answer = api.get("/sync-job", sort=other, next_cursor=cursor)

    assert (answer.status, answer.paths) == (400, ["next_cursor"])
    assert "another order" in answer.body["message"]


@pytest.mark.parametrize(
    ("path", "query", "count"),
    [
        ("/sync-job", {"integration_name": "acme"}, 1),
        ("/sync-job", {"label": "Untitled"}, 1),
        ("/sync-job", {"label": "other"}, 0),
        ("/sync-job-run", {"sync_job_id": "{job}"}, 1),
        ("/sync-job-run", {"integrated_account_id": "{account}"}, 1),
        ("/sync-job-run", {"status": "created"}, 1),
        ("/sync-job-cron-trigger", {"sync_job_id": "{job}", "integrated_account_id": "{account}"}, 1),
        ("/sync-job-cron-trigger", {"sync_job_id": "{account}"}, 0),
        ("/sync-job-template", {"id": "{template}", "integration_name": "acme", "label": "t"}, 1),
        ("/sync-job-template", {"id": "{job}"}, 0),
        ("/webhook", {"is_active": "true"}, 1),
        ("/webhook", {"is_active": "false"}, 0),
        ("/integrated-account", {"tenant_id": "t1", "status": "active", "integration.name": "acme"}, 1),
        ("/integrated-account", {"created_at[gt]": "2100-01-01"}, 0),
        ("/integrated-account", {"updated_at[lt]": "2100-01-01"}, 1),
        ("/integration", {"name": "acme", "sharing": "deny"}, 1),
        ("/integration", {"sharing": "allow"}, 0),
    ],
)
def test_list_is_narrowed_by_each_filter_of_the_wire(
    api: Caller, catalog: Catalog, path: str, query: dict[str, Any], count: int
) -> None:
    api.post("/sync-job-run", catalog.run_body)
    api.post("/sync-job-cron-trigger", {**catalog.run_body, "cron_expression": "0 3 * * *"})
    api.post("/webhook", {"target_url": "https://example.com"})
    template = api.post("/sync-job-template", {"integration_name": "acme", "label": "t"}).body["id"]
    ids = {"{job}": catalog.job["id"], "{account}": catalog.account["id"], "{template}": template}

    found = api.get(path, **{name: ids.get(value, value) for name, value in query.items()})

    assert (found.status, len(found.body["result"])) == (200, count)


@pytest.mark.parametrize("collection", [name for name in SORTS if name != "environment"])
def test_list_of_another_environment_is_empty(api: Caller, collection: str) -> None:
    (token,) = api.get("/api-token").body["result"]
    own = api.get(f"/{collection}").body["result"]

    assert api.get(f"/{collection}", environment_id=token["environment_id"]).body["result"] == own
    assert api.get(f"/{collection}", environment_id=new_id()).body["result"] == []
    assert api.get(f"/{collection}", environment_id="x").paths == ["environment_id"]
