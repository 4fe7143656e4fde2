"""Sync jobs, integrations, integrated accounts and webhooks over HTTP."""

import base64
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, text

from app.api.resources.services import ApiServices
from app.engine.ids import new_id
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.redaction import MASK
from tests.integration.api.calling import CONFIG, RESOURCES, Caller, Catalog


def test_creates_a_job_with_its_defaults(api: Caller, catalog: Catalog) -> None:
    answer = api.post("/sync-job", {"integration_name": "acme", "resources": RESOURCES})

    assert answer.status == 201
    assert answer.headers["Location"] == f"/sync-job/{answer.body['id']}"
    assert answer.body | {"id": "", "environment_id": "", "created_at": "", "updated_at": ""} == {
        **{"id": "", "environment_id": "", "created_at": "", "updated_at": ""},
        **{"integration_name": "acme", "label": "Untitled", "args_schema": {}, "args_validation": None},
        **{"resources": RESOURCES, "default_runtime_version": 3, "mutex_key": None, "state_key": None},
        **{"overlap_seconds": None, "wait_for_destinations": False},
    }


def test_tells_every_fault_of_a_job_at_once(api: Caller, catalog: Catalog) -> None:
    body = {"label": 5, "integration_name": "nope", "args_schema": 3, "resources": [{"resource": "users"}]}

    answer = api.post("/sync-job", body)

    assert answer.status == 400
    assert answer.paths == ["args_schema", "integration_name", "label", "resources.0.method"]


def test_answers_404_when_only_a_reference_is_wrong(api: Caller) -> None:
    answer = api.post("/sync-job", {"integration_name": "nope", "resources": RESOURCES})

    assert (answer.status, answer.paths) == (404, ["integration_name"])


@pytest.mark.parametrize(("given", "status"), [(4, 201), ("4", 201), (5, 400), ("x", 400), (True, 400), (1.5, 400)])
def test_takes_a_runtime_version_as_number_or_text(api: Caller, catalog: Catalog, given: JSON, status: int) -> None:
    answer = api.post("/sync-job", {"integration_name": "acme", "default_runtime_version": given})

    assert answer.status == status


def test_changes_only_the_fields_that_are_sent(api: Caller, catalog: Catalog) -> None:
    path = f"/sync-job/{catalog.job['id']}"
    args_schema = {"type": "object", "properties": {"slug": {"type": "string", "required": True}}}

    api.patch(path, {"label": "Helpdesk", "mutex_key": "{{args.slug}}"})
    answer = api.patch(path, {"args_schema": args_schema, "unknown": 1})

    assert answer.status == 200
    assert (answer.body["label"], answer.body["mutex_key"]) == ("Helpdesk", "{{args.slug}}")
    assert (answer.body["args_schema"], answer.body["resources"]) == (args_schema, RESOURCES)


def test_deletes_a_job_once(api: Caller, catalog: Catalog) -> None:
    path = f"/sync-job/{catalog.job['id']}"

    first, second = api.delete(path), api.delete(path)

    assert (first.status, first.body) == (200, {"id": catalog.job["id"]})
    assert second.status == 404


@pytest.mark.parametrize("sort", ["-created_at", "created_at"])
def test_pages_through_all_jobs_without_an_empty_page(api: Caller, catalog: Catalog, sort: str) -> None:
    made = [catalog.job["id"]]
    made += [api.post("/sync-job", {"integration_name": "acme", "label": f"{n}"}).body["id"] for n in range(5)]

    pages, cursor = [], ""
    while cursor is not None:
        page = api.get("/sync-job", limit=2, next_cursor=cursor, sort=sort).body
        pages.append([job["id"] for job in page["result"]])
        cursor = page["next_cursor"]

    assert [len(page) for page in pages] == [2, 2, 2]
    assert [id for page in pages for id in page] == (made if sort == "created_at" else made[::-1])


def test_filters_by_field_and_by_time_as_it_is_shown(api: Caller, catalog: Catalog) -> None:
    at = catalog.job["created_at"]

    found = {
        query: len(api.call("GET", f"/sync-job?{query}").body["result"])
        for query in (
            *("label=Untitled", "label=other", "integration_name=acme"),
            *(f"created_at={at}", f"created_at[eq]={at}", f"created_at[gt]={at}", f"created_at[gte]={at}"),
            *(f"created_at[lt]={at}", f"created_at[lte]={at}", f"created_at%5Bin%5D={at},2001-01-01"),
            *(f"created_at[gt]=2001-01-01&updated_at[lte]={at}", "created_at[lt]=9999-12-31T23:59:59.9999"),
        )
    }

    assert [query for query, count in found.items() if count == 0] == [
        "label=other",
        f"created_at[gt]={at}",
        f"created_at[lt]={at}",
    ]


def test_things_of_another_environment_are_not_there(stranger: Caller, catalog: Catalog) -> None:
    paths = [
        f"/sync-job/{catalog.job['id']}",
        f"/integration/{catalog.integration['id']}",
        f"/integrated-account/{catalog.account['id']}",
    ]

    assert [stranger.get(path).status for path in paths] == [404, 404, 404]
    assert [stranger.patch(path, {}).status for path in paths] == [404, 404, 404]
    assert [stranger.delete(path).status for path in paths] == [404, 404, 404]
    assert stranger.get("/record", integrated_account_id=catalog.account["id"]).status == 404
    assert stranger.get("/sync-job").body["result"] == []


def test_tells_every_fault_of_an_integration_at_once(api: Caller, catalog: Catalog) -> None:
    body = {
        "name": "acme",
        "is_beta": "yes",
        "sharing": "all",
        "config": {"base_url": 3, "pagination": {"format": "?"}},
    }

    answer = api.post("/integration", body)

    assert answer.status == 400
    assert answer.paths == ["config.base_url", "config.pagination.format", "is_beta", "name", "sharing"]


def test_merges_a_config_deeply_and_counts_versions(api: Caller, catalog: Catalog) -> None:
    path = f"/integration/{catalog.integration['id']}"

    first = api.patch(path, {"config": {"label": "Acme", "headers": {"A": "1", "B": "2"}}, "version": 1})
    outdated = api.patch(path, {"config": {"label": "Other"}, "version": 1})
    second = api.patch(path, {"config": {"label": None, "headers": {"A": None}}})

    assert first.body["config"] == {**CONFIG, "label": "Acme", "headers": {"A": "1", "B": "2"}}
    assert (outdated.status, outdated.paths) == (400, ["version"])
    assert "2" in outdated.body["message"]
    assert second.body["config"] == {**CONFIG, "headers": {"B": "2"}}
    assert (first.body["version"], second.body["version"]) == (2, 3)


def test_refuses_a_change_that_breaks_a_config_or_renames(api: Caller, catalog: Catalog) -> None:
    answer = api.patch(f"/integration/{catalog.integration['id']}", {"config": {"base_url": None}, "name": "other"})

    assert (answer.status, answer.paths) == (400, ["config.base_url", "name"])


def test_refuses_to_delete_an_integration_that_has_accounts(api: Caller, catalog: Catalog) -> None:
    path = f"/integration/{catalog.integration['id']}"

    used = api.delete(path)
    api.delete(f"/integrated-account/{catalog.account['id']}")
    unused = api.delete(path)

    assert (used.status, used.paths) == (400, ["id"])
    assert catalog.account["id"] in used.body["message"]
    assert (unused.status, unused.body) == (200, {"id": catalog.integration["id"]})


def test_masks_encrypts_and_keeps_literal_secrets_of_a_config(
    api: Caller, engine: Engine, services: ApiServices, environment_id: EnvironmentId
) -> None:
    secret = {"format": "header", "config": {"header_name": "x-api-key", "header_value": "s3cret"}}
    made = api.post("/integration", {"name": "masked", "config": {**CONFIG, "authorization": secret}}).body

    changed = api.patch(f"/integration/{made['id']}", {"config": made["config"]}).body

    assert changed["config"]["authorization"]["config"] == {"header_name": "x-api-key", "header_value": MASK}
    with engine.connect() as connection:
        stored = connection.execute(text("select config from integration where id = :id"), {"id": made["id"]}).scalar()
    assert stored["authorization"]["config"]["header_value"].startswith("ferryman-sealed:")
    assert services.integrations.get(environment_id, made["id"]).config["authorization"] == secret


def test_encrypts_masks_and_merges_a_context(api: Caller, catalog: Catalog, engine: Engine) -> None:
    path = f"/integrated-account/{catalog.account['id']}"
    oauth = {"token": {"access_token": "a1", "refresh_token": "r1", "expires_at": 5}, "scope": "all"}

    api.patch(path, {"context": {"api_key": "key-in-plain-text", "subdomain": "acme", "oauth": oauth}})
    answer = api.patch(path, {"context": {"api_key": MASK, "region": "eu", "oauth": {"scope": "some"}}})

    assert answer.body["context"] == {
        "api_key": MASK,
        "subdomain": MASK,
        "region": MASK,
        "oauth": {"token": {"access_token": MASK, "refresh_token": MASK, "expires_at": 5}, "scope": "some"},
    }
    with engine.connect() as connection:
        query = text("select context_encrypted from integrated_account where id = :id")
        sealed = connection.execute(query, {"id": catalog.account["id"]}).scalar()
    assert b"key-in-plain-text" not in bytes(sealed)


def test_takes_the_authentication_method_from_the_integration(api: Caller) -> None:
    api.post("/integration", {"name": "oauth", "config": {**CONFIG, "credentials": {"format": "oauth2", "config": {}}}})

    answer = api.post("/integrated-account", {"integration_name": "oauth", "tenant_id": "t"})

    assert (answer.status, answer.body["authentication_method"]) == (201, "oauth2")


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({}, ["integration_name", "tenant_id"]),
        ({"integration_name": "acme", "tenant_id": "", "context": []}, ["context", "tenant_id"]),
        ({"integration_name": "nope", "tenant_id": 3}, ["integration_name", "tenant_id"]),
    ],
)
def test_refuses_an_account_with_all_its_faults(
    api: Caller, catalog: Catalog, body: JsonObject, paths: list[str]
) -> None:
    answer = api.post("/integrated-account", body)

    assert (answer.status, answer.paths) == (400, paths)


@pytest.mark.parametrize("query", ["tenant_id=t1", "integration_name=acme", "integration.name=acme", "status=active"])
def test_finds_an_account(api: Caller, catalog: Catalog, query: str) -> None:
    other = query.partition("=")[0] + "=other"

    counts = [len(api.call("GET", f"/integrated-account?{one}").body["result"]) for one in (query, other)]

    assert counts == [1, 0]


def test_shows_the_secret_of_a_webhook_once(api: Caller) -> None:
    made = api.post("/webhook", {"target_url": "https://example.com/hook", "event_types": None}).body
    path = f"/webhook/{made['id']}"

    shown = [api.get(path).body, api.patch(path, {"is_active": False}).body, *api.get("/webhook").body["result"]]

    assert len(base64.b64decode(made["secret"].removeprefix("whsec_"))) == 32
    assert all("secret" not in webhook for webhook in shown)
    assert shown[1]["is_active"] is False


@pytest.mark.parametrize("url", ["ftp://x", "http://", "https://a b", "http://x:99999", "http://[", "x", 5, ""])
def test_refuses_a_target_that_is_no_web_address(api: Caller, url: JSON) -> None:
    answer = api.post("/webhook", {"target_url": url})

    assert (answer.status, answer.paths) == (400, ["target_url"])


def test_sends_a_test_event(api: Caller, receiver: Callable[[int], str]) -> None:
    willing, unwilling = (api.post("/webhook", {"target_url": receiver(status)}).body["id"] for status in (200, 500))

    answers = [api.post("/webhook/test", {"id": id}) for id in (willing, unwilling, new_id(), "x")]

    assert [answer.status for answer in answers] == [200, 502, 404, 400]
    assert answers[0].body == {"success": True}
    assert "500" in answers[1].body["message"]


@pytest.mark.parametrize(
    ("path", "column", "body"),
    [
        ("/integration", "name", lambda number: {"name": f"kind-{number}", "config": CONFIG}),
        (
            "/sync-job",
            "label",
            lambda number: {"label": f"job {number}", "integration_name": "helpdesk", "resources": RESOURCES},
        ),
        (
            "/integrated-account",
            "tenant_id",
            lambda number: {"integration_name": "helpdesk", "tenant_id": f"t-{number}"},
        ),
        ("/unified-model", "name", lambda number: {"name": f"model-{number}"}),
        ("/sync-job-template", "label", lambda number: {"label": f"template {number}", "resources": RESOURCES}),
    ],
    ids=["integrations", "jobs", "accounts", "models", "templates"],
)
def test_a_list_is_narrowed_by_any_of_several_values(
    api: Caller, path: str, column: str, body: Callable[[int], JsonObject]
) -> None:
    api.post("/integration", {"name": "helpdesk", "config": CONFIG})
    made = [api.post(path, body(number)).body for number in range(3)]
    first, second, third = (one["id"] for one in made)

    def ids(**query: str) -> set[str]:
        return {one["id"] for one in api.get(path, **query).body["result"]}

    values = ",".join([made[0][column], made[2][column]])
    assert ids(**{"id[in]": f"{first},{third}"}) == {first, third}
    assert ids(**{"id": second}) == ids(**{"id[eq]": second}) == {second}
    assert ids(**{f"{column}[in]": values}) == {first, third}
    assert ids(**{f"{column}[in]": values, "id[in]": f"{first},{second}"}) == {first}
    assert ids(**{f"{column}[eq]": made[1][column]}) == ids(**{column: made[1][column]}) == {second}
    assert api.get(path, **{"id[in]": "x,y"}).paths == ["id[in].0", "id[in].1"]


def test_accounts_are_narrowed_by_several_integrations(api: Caller) -> None:
    ids = {}
    for name in ("one", "two", "three"):
        api.post("/integration", {"name": name, "config": CONFIG})
        ids[name] = api.post("/integrated-account", {"integration_name": name, "tenant_id": "t"}).body["id"]

    for query in ("integration.name[in]", "integration_name[in]"):
        found = api.get("/integrated-account", **{query: "one,three"}).body["result"]
        assert {one["id"] for one in found} == {ids["one"], ids["three"]}
