"""Keys that nobody knows: refused within configs and items, named in ``warnings`` at the top of bodies."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, text

from app.engine.json_types import JSON, JsonObject
from tests.integration.api.calling import CONFIG, RESOURCES, Answer, Caller, Catalog

STRICT = {"Prefer": "handling=strict"}


def failures(answer: Answer) -> dict[str, str]:
    assert answer.status == 400, answer.body
    return {one["path"]: one["message"] for one in answer.body["details"]["failures"]}


def warnings(answer: Answer) -> list[tuple[str, str]]:
    assert answer.status in (200, 201), answer.body
    return [(one["code"], one["path"]) for one in answer.body.get("warnings", [])]


def test_unknown_keys_of_a_config_are_refused_all_at_once(api: Caller) -> None:
    config = {
        **CONFIG,
        "auth": {},
        "pagination": {"format": "page", "config": {"limt": 5}},
        "resources": {"tickets": {"list": {"respnse_path": "data"}}},
    }

    refused = failures(api.post("/integration", {"name": "odd", "config": config}))

    assert refused == {
        "config.auth": "is no key that is known here: did you mean 'authorization'?",
        "config.pagination.config.limt": "is no key that is known here: did you mean 'limit'?",
        "config.resources.tickets.list.respnse_path": "is no key that is known here: did you mean 'response_path'?",
    }


def test_an_item_of_a_job_is_refused_for_a_slip(api: Caller, catalog: Catalog) -> None:
    items = [{"resource": "users", "method": "lst", "persit": True}]

    refused = failures(api.post("/sync-job", {"integration_name": "acme", "resources": items}))

    assert refused["resources.0.persit"] == "is no key that is known here: did you mean 'persist'?"
    assert refused["resources.0.method"].endswith("did you mean 'list'?")


@pytest.mark.parametrize(
    ("path", "made"),
    [
        ("/sync-job/validate", lambda catalog, items: {"integration_name": "acme", "resources": items}),
        ("/sync-job-template", lambda catalog, items: {"label": "t", "resources": items}),
        ("/sync-job-run", lambda catalog, items: {**catalog.run_body, "resources": items}),
        ("/sync-job-run?dry_run=true", lambda catalog, items: {**catalog.run_body, "resources": items}),
        (
            "/sync-job-cron-trigger",
            lambda catalog, items: {**catalog.run_body, "resources": items, "cron_expression": "0 6 * * *"},
        ),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_items_are_judged_wherever_they_are_sent(
    api: Caller, catalog: Catalog, path: str, made: Callable[[Catalog, JSON], JsonObject]
) -> None:
    items = [{"resource": "users", "method": "list", "persit": True}]

    assert list(failures(api.post(path, made(catalog, items)))) == ["resources.0.persit"]


@pytest.mark.parametrize("path", ["integration_override", "override"])
def test_overrides_are_judged_as_configs_are(api: Caller, catalog: Catalog, path: str) -> None:
    override = {"resources": {"users": {"list": {"pth": "/x"}}}, "headers": {"anything": "goes"}}

    if path == "override":
        body = {"integration_id": catalog.integration["id"], "override": override}
        answer = api.post("/environment-integration", body)
    else:
        answer = api.patch(f"/integrated-account/{catalog.account['id']}", {path: override})

    assert list(failures(answer)) == [f"{path}.resources.users.list.pth"]


def test_what_the_compatible_api_has_and_is_not_served_is_accepted_and_named(api: Caller) -> None:
    config = {**CONFIG, "webhook": {}, "resources": {"users": {"list": {"pagination_path": "x", "scopes": ["a"]}}}}

    made = api.post("/integration", {"name": "told", "config": config, "team_id": "t"})

    assert sorted(warnings(made)) == [
        ("not_served", "config.resources.users.list.pagination_path"),
        ("not_served", "config.webhook"),
        ("not_served", "team_id"),
    ]
    assert "warnings" not in api.get(f"/integration/{made.body['id']}").body


def test_unknown_fields_are_named_and_refused_by_who_is_strict(api: Caller, catalog: Catalog) -> None:
    body = {**catalog.run_body, "error_handlng": "ignore", "super_query": "apac", "status": "created"}

    made = api.post("/sync-job-run", body)
    refused = api.post("/sync-job-run", body, headers=STRICT)

    assert warnings(made) == [("unknown_field", "error_handlng"), ("not_served", "super_query")]
    assert "did you mean 'error_handling'?" in made.body["warnings"][0]["message"]
    assert list(failures(refused)) == ["error_handlng", "super_query"]


def test_who_is_strict_is_so_at_every_depth(api: Caller) -> None:
    config = {**CONFIG, "resources": {"users": {"list": {"throw_error_on_parse_error": True}}}}

    refused = api.post("/integration", {"name": "deep", "config": config}, headers=STRICT)

    assert list(failures(refused)) == ["config.resources.users.list.throw_error_on_parse_error"]


def test_warnings_come_with_the_least_answer_too_and_leave_the_tag_alone(api: Caller, catalog: Catalog) -> None:
    path = f"/sync-job/{catalog.job['id']}"

    changed = api.call("PATCH", path, {"labl": "x"}, headers={"Prefer": "return=minimal"})
    shown = api.patch(path, {"labl": "x"})

    assert (changed.body.keys(), warnings(changed)) == ({"id", "warnings"}, [("unknown_field", "labl")])
    assert shown.headers["ETag"] == api.get(path).headers["ETag"]


def test_what_was_stored_before_blocks_neither_a_change_nor_a_run(
    api: Caller, catalog: Catalog, engine: Engine
) -> None:
    _put(engine, "integration", catalog.integration["id"], "config", '{"auth": 1, "resources": {"users": {}}}')
    _put(engine, "sync_job", catalog.job["id"], "resources", '{"persit": true, "method": "lst"}')
    integration, job = f"/integration/{catalog.integration['id']}", f"/sync-job/{catalog.job['id']}"

    config_back = api.patch(integration, {"config": api.get(integration).body["config"]})
    items_back = api.patch(job, {"resources": api.get(job).body["resources"]})

    assert warnings(config_back) == [("unknown_field", "config.auth")]
    assert warnings(items_back) == [("unknown_field", "resources.0.persit"), ("unknown_method", "resources.0.method")]
    assert api.patch(integration, {"category": "crm"}).status == 200
    assert api.post("/sync-job-run", catalog.run_body).status == 201
    assert warnings(api.patch(integration, {"config": {"auth": None}})) == []
    assert "auth" not in api.get(integration).body["config"]
    assert list(failures(api.patch(integration, {"config": {"athu": 1}}))) == ["config.athu"]


def _put(engine: Engine, table: str, id: str, column: str, more: str) -> None:
    """Write keys into a config, or into each item of a list, as an earlier version let them in."""
    laid = (
        f"(select jsonb_agg(one || '{more}') from jsonb_array_elements({column}) one)"
        if column == "resources"
        else f"{column} || '{more}'"
    )
    with engine.begin() as connection:
        connection.execute(text(f"update {table} set {column} = {laid} where id = :id"), {"id": id})


@pytest.mark.parametrize(
    ("config", "paths"),
    [
        ({"headers": {"X-Key": "{{tokn}}"}}, ["config.headers"]),
        ({"headers": {"X-Key": "{{credentials.key}} {{context.key}} {{oauth.token.access_token}}"}}, []),
        ({"resources": {"users": {"list": {"path": "/{{args.id}}"}}}}, ["config.resources.users.list.path"]),
        ({"resources": {"users": {"list": {"query": {"a": "{{site}}"}}}}}, []),
        ({"resources": {"users": {"list": {"query": "{'a': site}", "description": "{{any}}"}}}}, []),
    ],
)
def test_a_placeholder_of_a_config_that_nothing_is_known_for_is_named(
    api: Caller, config: JsonObject, paths: list[str]
) -> None:
    form = {"format": "api_key", "config": {"fields": [{"name": "site", "type": "text"}]}}

    made = api.post("/integration", {"name": "acme", "config": {**CONFIG, "credentials": form, **config}})
    again = api.patch(f"/integration/{made.body['id']}", {"config": {"label": "x"}})

    assert warnings(made) == warnings(again) == [("unknown_placeholder", path) for path in paths]


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({"resources": [{**RESOURCES[0], "query": {"a": "{{arg.x}}"}}]}, ["resources.0.query"]),
        ({"resources": [{**RESOURCES[0], "id": "{{args.x|tenant}}"}]}, ["resources.0.id"]),
        ({"resources": [{**RESOURCES[0], "query": {"a": "{{args.x}} {{tenant_id}} {{api_key}}"}}]}, []),
        ({"mutex_key": "{{tenantid}}", "state_key": "{{args.x}}"}, ["mutex_key"]),
    ],
)
def test_a_placeholder_of_a_job_that_nothing_is_known_for_is_named(
    api: Caller, catalog: Catalog, body: JsonObject, paths: list[str]
) -> None:
    made = api.post("/sync-job", {"integration_name": "acme", "resources": RESOURCES, **body})
    changed = api.patch(f"/sync-job/{catalog.job['id']}", body)
    of_template = api.post("/sync-job-template", {"label": "t", "resources": RESOURCES, **body})

    assert warnings(made) == warnings(changed) == [("unknown_placeholder", path) for path in paths]
    expected = [(("unknown_field" if path.endswith("_key") else "unknown_placeholder"), path) for path in paths]
    assert [one for one in warnings(of_template) if one[1] != "state_key"] == expected


@pytest.mark.parametrize(
    ("item", "paths"),
    [
        ({"query": {"filter": "updated > {{previous_run_date:undefined}}"}}, ["resources.0.query"]),
        ({"body": {"and": [{"q": "x {{args.x:undefined}}"}]}}, ["resources.0.body"]),
        ({"query": {"since": "{{previous_run_date:undefined}}", "until": "at {{args.x:undefined?:noon}}"}}, []),
        ({"query": "{'filter': previous_run_date ? 'updated > ' & previous_run_date}"}, []),
    ],
)
def test_a_text_that_is_sent_without_its_value_is_named(
    api: Caller, catalog: Catalog, item: JsonObject, paths: list[str]
) -> None:
    made = api.post("/sync-job", {"integration_name": "acme", "resources": [{**RESOURCES[0], **item}]})

    assert warnings(made) == [("unfilled_text", path) for path in paths]


def test_a_resource_or_method_that_is_not_listed_is_named(api: Caller) -> None:
    listed = {"tickets": {"list": {}, "search": {"method": "post"}}}
    api.post("/integration", {"name": "listed", "config": {**CONFIG, "resources": listed}})
    items = [
        {"resource": "tikets", "method": "list"},
        {"resource": "users", "method": "list"},
        {"resource": "tickets", "method": "search"},
        {"resource": "tickets", "method": "archive", "name": "b"},
    ]

    made = api.post("/sync-job", {"integration_name": "listed", "resources": items})

    assert warnings(made) == [("unknown_method", "resources.0.resource"), ("unknown_method", "resources.3.method")]


@pytest.mark.parametrize(
    ("key", "path", "is_refused"),
    [
        ("response_path", "data.items[type = 'a']", False),
        ("response_path", "$merge(pages)", False),
        ("response_path", "Time Series (Daily)", False),
        ("response_path", "`a[b]`.c", False),
        ("response_path", "items[0].rows", False),
        ("response_path", "items[type = ", True),
        ("response_path", "items{", True),
        ("id_path", "ids[type = 'a']", True),
    ],
)
def test_a_path_that_is_neither_a_path_nor_jsonata_is_refused(
    api: Caller, key: str, path: str, is_refused: bool
) -> None:
    config = {**CONFIG, "resources": {"users": {"list": {key: path}}}}

    made = api.post("/integration", {"name": "paths", "config": config})

    assert made.status == (400 if is_refused else 201)
    assert not is_refused or list(failures(made)) == [f"config.resources.users.list.{key}"]
