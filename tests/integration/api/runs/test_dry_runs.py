"""A whole job judged, and a run tried, without anything being written."""

from sqlalchemy import Engine, text

from app.engine.json_types import JsonObject
from tests.integration.api.calling import Caller, Catalog
from tests.support.upstream import Upstream, reply
from tests.support.workspace import CURSOR_PAGES, child_of, listed

SECRET = "s3cret-token-of-acme"


def counts(engine: Engine) -> list[int]:
    tables = ("sync_job", "sync_job_run", "run_resource", "outbox", "record", "unit", "run_error")
    with engine.connect() as connection:
        return [connection.execute(text(f"select count(*) from {name}")).scalar_one() for name in tables]


def body_of(api: Caller, upstream: Upstream, resources: list[JsonObject]) -> JsonObject:
    config = {
        "base_url": upstream.url,
        "authorization": {"format": "bearer", "token": "{{token}}"},
        "rate_limit": {"requests": 2, "per_seconds": 1},
        **CURSOR_PAGES,
    }
    api.post("/integration", {"name": "acme", "config": config})
    account = {"integration_name": "acme", "tenant_id": "t1", "context": {"token": SECRET}}
    account_id = api.post("/integrated-account", account).body["id"]
    job_id = api.post("/sync-job", {"integration_name": "acme", "resources": resources}).body["id"]
    return {"sync_job_id": job_id, "integrated_account_id": account_id}


def test_a_dry_run_shows_plan_requests_and_first_pages_and_writes_nothing(
    api: Caller, upstream: Upstream, engine: Engine
) -> None:
    upstream.answers("/teams", reply({"data": [{"id": "a b"}, {"id": "c"}], "next_cursor": "more"}))
    resources = [
        listed("teams"),
        child_of("teams", "members"),
        {"resource": "exports", "method": "create", "body": {"of": "all"}},
        {"type": "transform", "name": "t", "depends_on": "teams", "config": {"expression": "records"}},
    ]
    body = body_of(api, upstream, resources)
    before = counts(engine)

    answer = api.post("/sync-job-run?dry_run=true", body)

    assert answer.status == 200, answer.body
    teams, members, transform, exports = (
        next(one for one in answer.body["resources"] if one["name"] == name)
        for name in ("teams", "members", "t", "exports")
    )
    assert teams["first_page"]["records"] == [{"id": "a b"}, {"id": "c"}]
    assert (teams["first_page"]["has_more"], teams["requests_at_least"]) == (True, 2)
    assert members["request"]["url"].endswith("/members?parent=a%20b")
    assert (members["requests_at_least"], members["depends_on"]) == (2, "teams")
    assert (exports["request"]["method"], exports["first_page"]) == ("POST", None)
    assert (transform["type"], transform["request"]) == ("transform", None)
    assert answer.body["estimate"] == {
        **{"requests_at_least": 5, "is_exact": False},
        **{"requests_per_second": 2, "seconds_at_least": 2.5},
    }
    assert [request.path for request in upstream.requests] == ["/teams"]
    assert SECRET not in str(answer.body)
    assert counts(engine) == before


def test_a_dry_run_tells_what_an_upstream_refuses(api: Caller, upstream: Upstream) -> None:
    body = body_of(api, upstream, [listed("nothing"), listed("loop", loop_on="args.missing")])

    found = api.post("/sync-job-run?dry_run=true", body).body["resources"]

    assert {one["name"]: one["error"]["code"] for one in found} == {"nothing": "http_404", "loop": "loop_on"}


def test_a_dry_run_is_refused_with_all_its_faults(api: Caller, catalog: Catalog) -> None:
    wrong = api.post("/sync-job-run?dry_run=true", {**catalog.run_body, "resources": [{}], "args": {}})
    unclear = api.post("/sync-job-run?dry_run=perhaps", catalog.run_body)

    assert (wrong.status, wrong.paths) == (400, ["resources.0.method", "resources.0.resource"])
    assert (unclear.status, unclear.paths) == (400, ["dry_run"])


def test_a_job_is_judged_whole_and_not_made(api: Caller, catalog: Catalog, engine: Engine) -> None:
    before = counts(engine)
    body: JsonObject = {"integration_name": "acme", "resources": catalog.job["resources"]}

    good = api.post("/sync-job/validate", body)
    bad = api.post("/sync-job/validate", {**body, "resources": [{}], "args_validation": "(", "label": 5})

    assert (good.status, good.body) == (200, {"valid": True})
    assert (bad.status, bad.paths) == (
        400,
        ["args_validation", "label", "resources.0.method", "resources.0.resource"],
    )
    assert counts(engine) == before
