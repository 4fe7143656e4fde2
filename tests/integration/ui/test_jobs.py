"""Jobs on the dashboard: found, checked, tried, and started by a form of their arguments."""

import html
import json
import re
from collections.abc import Callable, Iterator

import pytest

from app.api.resources.services import ApiServices
from app.engine.ids import new_id
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.environments import EnvironmentId, Role
from app.engine.objects.lists import ListFilters
from app.engine.objects.runs import SyncJobRun
from tests.integration.api.calling import Caller
from tests.integration.ui.visiting import MARKUP, Seen, Visitor
from tests.support.upstream import Upstream, reply

SECRET = "canary-secret-of-an-account"
SCHEMA = {
    "type": "object",
    "required": ["since", "filter"],
    "properties": {
        "since": {"type": "string", "format": "date-time", "title": MARKUP},
        "limit": {"type": "integer", "minimum": 1, "default": 50},
        "share": {"type": "number"},
        "deep": {"type": "boolean"},
        "kind": {"enum": ["open", 7, None, "zu\u00fc", {"a": 1}]},
        "day": {"type": "string", "format": "date"},
        "scope": {
            "type": "object",
            "required": ["of"],
            "properties": {"of": {"type": "string", "default": "all"}, "n": {"type": "integer"}},
        },
        "filter": {
            "type": "object",
            "required": ["region"],
            "properties": {
                "region": {"enum": ["eu", "us"]},
                "a.b": {"type": "object", "properties": {"depth": {"type": "integer"}}},
            },
        },
        "ids": {"type": "array", "items": {"type": "integer"}},
    },
}


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    server.answers("/users", reply({"data": [{"id": "1", "name": MARKUP}], "next": None}))
    yield server
    server.close()


@pytest.fixture
def account(api: Caller, upstream: Upstream) -> JsonObject:
    config = {
        "base_url": upstream.url,
        "authorization": {"format": "bearer"},
        "resources": {"users": {"list": {"method": "get", "path": "/users", "response_path": "data"}}},
    }
    api.post("/integration", {"name": "acme", "config": config})
    body = {"integration_name": "acme", "tenant_id": "t1", "context": {"token": SECRET}}
    return api.post("/integrated-account", body).body


@pytest.fixture
def job(api: Caller, account: JsonObject) -> JsonObject:
    resources = [{"resource": "users", "method": "list", "persist": True}]
    body = {"integration_name": "acme", "label": MARKUP, "resources": resources, "args_schema": SCHEMA}
    return api.post("/sync-job", body).body


@pytest.fixture
def runs_of(services: ApiServices, environment_id: EnvironmentId) -> Callable[[], list[SyncJobRun]]:
    return lambda: services.runs.list(environment_id, ListFilters()).result


def start(visitor: Visitor, job: JsonObject, account: JsonObject, **form: str) -> Seen:
    named = {name.replace("__", "."): value for name, value in form.items()}
    return visitor.post(
        f"/ui/jobs/{job['id']}/start", **{"integrated_account_id": account["id"], "arg.filter.region": '"eu"', **named}
    )


def test_jobs_are_listed_by_pages_and_filters(admin: Visitor, api: Caller, job: JsonObject) -> None:
    for number in range(51):
        body = {"integration_name": "acme", "label": f"job {number}", "resources": job["resources"]}
        assert api.post("/sync-job", body).status == 201

    first = admin.get("/ui/jobs")
    following = next(one for one in first.links if "cursor=" in one)
    second = admin.get(following)
    narrow = admin.get("/ui/jobs?label=job%207")

    assert len([one for one in first.links if re.fullmatch(r"/ui/jobs/[0-9a-f-]{36}", one)]) == 50
    assert f"/ui/jobs/{job['id']}" in second.links
    assert "First page" in second.words
    assert [one for one in narrow.links if re.fullmatch(r"/ui/jobs/[0-9a-f-]{36}", one)] != []
    assert "job 8" not in narrow.words


@pytest.mark.parametrize("query", ["colour=red", "cursor=nonsense", "label=%00"])
def test_filters_that_are_none_are_refused_in_words(query: str, admin: Visitor) -> None:
    seen = admin.get(f"/ui/jobs?{query}")

    assert (seen.status, seen.heading) == (400, "That does not work")


def test_job_shows_its_definition_as_text(admin: Visitor, job: JsonObject) -> None:
    seen = admin.get(f"/ui/jobs/{job['id']}")

    assert seen.heading == MARKUP
    assert "<img src=x" not in seen.text
    assert '"args_schema"' not in seen.words
    assert '"minimum": 1' in seen.words


@pytest.mark.parametrize("id", ["x", "00000000-0000-0000-0000-000000000000"])
def test_job_that_does_not_exist_is_a_page(id: str, admin: Visitor) -> None:
    assert (admin.get(f"/ui/jobs/{id}").status, admin.post(f"/ui/jobs/{id}/start").status) == (404, 404)


def test_form_has_a_field_for_each_argument(admin: Visitor, job: JsonObject) -> None:
    seen = admin.get(f"/ui/jobs/{job['id']}")

    names = [html.unescape(one) for one in re.findall(r'name="(arg\.[^"]*)"', seen.text)]
    plain = [f"arg.{name}" for name in SCHEMA["properties"] if name not in ("filter", "scope")]
    deep = ["arg.scope.of", "arg.scope.n"]
    assert sorted(names) == sorted([*plain, *deep, "arg.filter.region", "arg.filter.a\\.b.depth"])
    assert names[0] == "arg.since"
    assert 'placeholder="50"' in seen.text
    assert "at least 1" in seen.words
    assert "filter / a.b / depth" in seen.words
    assert 'placeholder="JSON, such as [1]"' in seen.text
    assert '<option value="true">true</option>' in seen.text
    assert 'type="date"' in seen.text


def test_form_starts_a_run_with_typed_arguments(
    admin: Visitor, job: JsonObject, account: JsonObject, runs_of: Callable[[], list[SyncJobRun]]
) -> None:
    form = {"arg__since": "2026-01-01T00:00:00Z", "arg__limit": "7", "arg__share": "0.5", "arg__deep": "false"}
    more = {"arg__kind": "null", "arg__ids": "[1, 2]", "ignore_previous_run": "1", "arg__filter__region": '"eu"'}
    more |= {"args": '{"filter": {"a.b": {"also": 1}}}', "arg__filter__a\\__b__depth": "2", "arg__day": "2026-02-03"}

    started = start(admin, job, account, **form, **more)

    (run,) = runs_of()
    assert (started.status, started.headers["Location"]) == (303, f"/ui/runs/{run.id}")
    expected = {"since": "2026-01-01T00:00:00Z", "limit": 7, "share": 0.5, "deep": False, "kind": None, "ids": [1, 2]}
    deep = {"region": "eu", "a.b": {"also": 1, "depth": 2}}
    assert run.args == {**expected, "filter": deep, "day": "2026-02-03"}
    assert run.ignore_previous_run


@pytest.mark.parametrize("choice", ["open", 7, "zu\u00fc", {"a": 1}])
def test_each_choice_of_the_form_is_one(
    choice: JSON,
    admin: Visitor,
    job: JsonObject,
    account: JsonObject,
    runs_of: Callable[[], list[SyncJobRun]],
) -> None:
    field = admin.get(f"/ui/jobs/{job['id']}").text.partition('name="arg.kind"')[2].partition("</select>")[0]
    sent = [html.unescape(one) for one in re.findall(r'<option value="([^"]+)"', field)]
    (text,) = (one for one in sent if json.loads(one) == choice)

    assert start(admin, job, account, arg__since="2026-01-01T00:00:00Z", arg__kind=text).status == 303

    assert runs_of()[0].args["kind"] == choice


def test_form_that_is_sent_twice_starts_one_run(
    admin: Visitor, job: JsonObject, account: JsonObject, runs_of: Callable[[], list[SyncJobRun]]
) -> None:
    form = {"arg__since": "2026-01-01T00:00:00Z", "once": new_id()}

    assert {start(admin, job, account, **form).headers["Location"] for _ in range(2)} == {f"/ui/runs/{runs_of()[0].id}"}
    assert len(runs_of()) == 1


def test_form_shows_all_faults_at_once_and_keeps_what_was_entered(
    admin: Visitor, job: JsonObject, account: JsonObject, runs_of: Callable[[], list[SyncJobRun]]
) -> None:
    seen = start(
        admin, job, account, arg__limit="many", arg__ids="[1,", arg__kind="9", arg__deep="perhaps", args="[]",
        arg__filter__region="x",
        webhook_id="x", daemon_group_key="not a key",
    )  # fmt: skip

    assert seen.status == 400
    for path in (
        "args.limit",
        "args.ids",
        "args.kind",
        "args.deep",
        "args.filter.region",
        "args",
        "webhook_id",
        "args.since",
    ):
        assert f">{path}</code>" in seen.text, path
    assert 'value="many"' in seen.text
    empty = start(admin, job, account, arg__filter__region="", arg__since="2026-01-01T00:00:00Z")
    assert ">args.filter.region</code> is required" in empty.text
    assert runs_of() == []


def test_text_that_can_not_be_stored_is_a_fault(admin: Visitor, job: JsonObject, account: JsonObject) -> None:
    assert start(admin, job, account, arg__since="\0").status == 400
    assert start(admin, job, account, daemon_group_key="\0").status == 400
    told = start(admin, job, account, arg__since="2026-01-01T00:00:00Z", once="\0")
    assert (told.status, "once" in told.words) == (400, True)


def test_huge_numbers_and_deep_values_are_faults(admin: Visitor, job: JsonObject, account: JsonObject) -> None:
    for text in ("9" * 5000, "1e999", "NaN"):
        assert start(admin, job, account, arg__limit=text, arg__share=text).status == 400
    assert start(admin, job, account, arg__ids="[" * 5000 + "]" * 5000).status == 400


def test_dry_run_shows_the_first_records_and_starts_nothing(
    admin: Visitor, job: JsonObject, account: JsonObject, runs_of: Callable[[], list[SyncJobRun]]
) -> None:
    seen = start(admin, job, account, arg__since="2026-01-01T00:00:00Z", dry="1")

    assert seen.status == 200
    assert "Nothing was written" in seen.words
    assert MARKUP.replace('"', '\\"') in html.unescape(seen.text)
    assert "<img src=x" not in seen.text
    assert SECRET not in seen.text
    assert 'value="2026-01-01T00:00:00Z"' in seen.text
    assert runs_of() == []


def test_validate_says_that_a_job_is_right_or_what_is_wrong(
    admin: Visitor, job: JsonObject, services: ApiServices, environment_id: EnvironmentId
) -> None:
    path = f"/ui/jobs/{job['id']}"

    assert admin.post(f"{path}/validate").status == 303
    assert "The job is valid." in admin.get(path).words


def test_reader_can_not_start_validate_or_try(
    reader: Visitor, job: JsonObject, account: JsonObject, runs_of: Callable[[], list[SyncJobRun]]
) -> None:
    seen = reader.get(f"/ui/jobs/{job['id']}")

    assert seen.actions == []
    assert "Start the run" not in seen.words
    assert start(reader, job, account, arg__since="2026-01-01T00:00:00Z").status == 403
    assert start(reader, job, account, arg__since="2026-01-01T00:00:00Z", dry="1").status == 403
    assert reader.post(f"/ui/jobs/{job['id']}/validate").status == 403
    assert runs_of() == []


def test_runner_may_start(
    visitor_of: Callable[[Role], Visitor], job: JsonObject, account: JsonObject, runs_of: Callable[[], list[SyncJobRun]]
) -> None:
    assert start(visitor_of(Role.RUN), job, account, arg__since="2026-01-01T00:00:00Z").status == 303
    assert len(runs_of()) == 1


def test_jobs_of_other_environments_are_not_there(guest: Visitor, services: ApiServices, job: JsonObject) -> None:
    other = services.environments.create("other-" + job["id"])
    guest.sign_in(services.tokens.create(other.id, "stranger")[1])

    assert guest.get(f"/ui/jobs/{job['id']}").status == 404
    assert MARKUP not in html.unescape(guest.get("/ui/jobs").text)
