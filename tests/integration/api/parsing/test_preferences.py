"""``Prefer``: what a caller may wish for, and what is told of it."""

import threading

import pytest
from flask import Flask

from app.api.resources.services import ApiServices
from app.services.runs.runs import RunWaits
from tests.integration.api.calling import Answer, Caller, Catalog
from tests.support.patience import wait_for

JOB = {"integration_name": "acme", "label": "wished"}
STRICT = "is not known here"


def wishing(api: Caller, wish: str, method: str, path: str, body: object = None) -> Answer:
    return api.call(method, path, body, headers={"Prefer": wish})


def met(answer: Answer) -> str | None:
    return answer.headers.get("Preference-Applied")


@pytest.mark.parametrize("wish", ["wait=30", 'foo; a="b,c", WAIT = "30" ;x, wait=1', "wait=30, respond-async"])
def test_waiting_by_preference_ends_with_the_run(api: Caller, catalog: Catalog, wish: str) -> None:
    run_id, waited = api.post("/sync-job-run", catalog.run_body).body["id"], []
    path = f"/sync-job-run/{run_id}"
    caller = threading.Thread(target=lambda: waited.append(wishing(api, wish, "GET", path)))
    caller.start()

    api.patch(path, {"status": "stopped"})
    caller.join()

    assert (waited[0].status, waited[0].body["status"], met(waited[0])) == (200, "stopped", "wait=30")


def test_creation_waits_for_the_end_of_its_run(api: Caller, catalog: Catalog) -> None:
    waited: list[Answer] = []
    wish = "wait=600, respond-async"
    caller = threading.Thread(
        target=lambda: waited.append(wishing(api, wish, "POST", "/sync-job-run", catalog.run_body))
    )
    caller.start()

    runs = wait_for(lambda: api.get("/sync-job-run").body["result"])
    api.patch(f"/sync-job-run/{runs[0]['id']}", {"status": "stopped"})
    caller.join()

    answer = waited[0]
    assert (answer.status, answer.body["status"]) == (201, "stopped")
    assert answer.headers["Location"] == f"/sync-job-run/{runs[0]['id']}"
    assert met(answer) == "respond-async, wait=60"


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ("respond-async", "respond-async"),
        ("wait=0", None),
        ("wait=soon", None),
        ("wait=-1", None),
        ("wait", None),
        ("wait=1, unknown, wait=2, odd=x", "wait=1"),
        (',;=, ==;"', None),
    ],
)
def test_run_is_created_whatever_is_wished(api: Caller, catalog: Catalog, wish: str, told: str | None) -> None:
    answer = wishing(api, wish, "POST", "/sync-job-run", catalog.run_body)

    assert (answer.status, answer.body["status"], met(answer)) == (201, "created", told)


def test_who_finds_no_place_to_wait_is_answered_at_once_and_told_nothing(
    api: Caller, app: Flask, services: ApiServices, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.extensions["ferryman"].run_waits, "_places", RunWaits(services.runs, most=0)._places)

    made = wishing(api, "wait=60", "POST", "/sync-job-run", catalog.run_body)
    shown = wishing(api, "wait=60", "GET", f"/sync-job-run/{made.body['id']}")
    asked = api.get(f"/sync-job-run/{made.body['id']}", wait=60)

    assert [(answer.status, answer.body["status"]) for answer in (shown, asked)] == [(200, "created")] * 2
    assert [met(answer) for answer in (made, shown, asked)] == [None, None, None]


def test_wait_of_the_query_outdoes_that_of_the_header(api: Caller, catalog: Catalog) -> None:
    run_id = api.post("/sync-job-run", catalog.run_body).body["id"]

    answer = wishing(api, "wait=60", "GET", f"/sync-job-run/{run_id}?wait=0")

    assert (answer.body["status"], met(answer)) == ("created", None)


def test_minimal_answers_hold_the_id_alone(api: Caller, catalog: Catalog) -> None:
    made = wishing(api, "return=minimal", "POST", "/sync-job", JOB)
    changed = wishing(api, "return=minimal", "PATCH", f"/sync-job/{made.body['id']}", {"label": "changed"})
    run = wishing(api, "return=minimal", "POST", "/sync-job-run", catalog.run_body)

    id = made.body["id"]
    assert (made.status, made.body, made.headers["Location"]) == (201, {"id": id}, f"/sync-job/{id}")
    assert (changed.status, changed.body, "ETag" in changed.headers) == (200, {"id": id}, False)
    assert (run.status, run.body.keys()) == (201, {"id"})
    assert {met(answer) for answer in (made, changed, run)} == {"return=minimal"}
    assert api.get(f"/sync-job/{id}").body["label"] == "changed"


def test_whole_answers_are_told_of_when_they_were_wished_for(api: Caller, catalog: Catalog) -> None:
    answer = wishing(api, "return=representation, handling=lenient", "POST", "/sync-job", {**JOB, "odd": 1})

    assert (answer.status, answer.body["label"]) == (201, "wished")
    assert met(answer) == "handling=lenient, return=representation"


@pytest.mark.parametrize(
    ("path", "body", "secret"),
    [
        ("/webhook", {"target_url": "https://example.com"}, "secret"),
        ("/api-token", {"name": "t", "role": "read"}, "token"),
    ],
)
def test_what_is_shown_once_is_never_left_out(api: Caller, path: str, body: dict[str, str], secret: str) -> None:
    answer = wishing(api, "return=minimal", "POST", path, body)

    assert (answer.status, met(answer), bool(answer.body[secret])) == (201, None, True)


@pytest.mark.parametrize("answered", ["GET /sync-job", "GET /sync-job/{id}", "DELETE /sync-job/{id}"])
def test_other_answers_are_not_shortened(api: Caller, catalog: Catalog, answered: str) -> None:
    method, path = answered.replace("{id}", catalog.job["id"]).split()

    answer = wishing(api, "return=minimal", method, path)

    assert (answer.status < 300, met(answer)) == (True, None)


@pytest.mark.parametrize(
    ("request_line", "body", "paths"),
    [
        ("POST /sync-job", {**JOB, "lable": "x", "mutex": 1}, ["lable", "mutex"]),
        ("POST /sync-job?odd=1&dry_run=true", {"lable": "x"}, ["dry_run", "integration_name", "lable", "odd"]),
        ("POST /sync-job-run?dry_run=true&dry=1", {"stauts": "created"}, ["dry", "stauts"]),
        ("GET /sync-job?lable=x&label=y&limit=x&label[]=z&odd[]=1", None, ["lable", "limit", "odd[]"]),
        ("GET /sync-job?lable=", None, ["lable"]),
        ("GET /sync-job/{id}?wait=1", None, ["wait"]),
        ("DELETE /sync-job/{id}?force=true", None, ["force"]),
        ("PATCH /sync-job/{id}?force=true", {"lable": "x"}, ["force", "lable"]),
        ("GET /sync-job-run-state/key?state_key=x&odd=y", None, ["odd"]),
    ],
)
def test_strict_handling_refuses_all_that_is_unknown(
    api: Caller, catalog: Catalog, request_line: str, body: object, paths: list[str]
) -> None:
    method, path = request_line.replace("{id}", catalog.job["id"]).split()

    answer = wishing(api, "handling=strict", method, path, body)

    assert (answer.status, met(answer)) == (400, "handling=strict")
    assert set(paths) <= set(answer.paths)
    told = {fault["path"]: fault["message"] for fault in answer.body["details"]["failures"]}
    assert {name for name, message in told.items() if message.startswith(STRICT)} == set(paths) - {
        "limit",
        "integration_name",
    }
    assert api.get(f"/sync-job/{catalog.job['id']}").body == catalog.job


def test_strict_handling_lets_what_is_known_pass(api: Caller, catalog: Catalog) -> None:
    job = f"/sync-job/{catalog.job['id']}"
    query = "label[in]=Untitled,x&created_at[gt]=2020-01-01&sort=label&next_cursor="
    answers = [
        wishing(api, "handling=strict", "POST", "/sync-job-run?dry_run=false", catalog.run_body),
        wishing(api, "handling=strict", "GET", f"/sync-job?{query}"),
        wishing(api, "handling=strict", "GET", "/integrated-account?integration.name=acme&integration.name[]=acme"),
        wishing(api, "handling=strict", "PATCH", job, {"label": "strict"}),
        wishing(api, "handling=strict", "DELETE", job),
    ]

    assert [answer.status for answer in answers] == [201, 200, 200, 200, 200]
    assert {met(answer) for answer in answers} == {"handling=strict"}


def test_direct_calls_take_whatever_their_mappings_know(api: Caller) -> None:
    account = "0190f0f0-0000-7000-8000-00000000000b"

    answer = wishing(api, "handling=strict", "GET", f"/proxy/people?integrated_account_id={account}&odd=1")

    assert (answer.status, met(answer)) == (404, None)


def test_the_document_tells_of_preferences(api: Caller) -> None:
    paths = api.get("/openapi.json").body["paths"]

    for path, methods in paths.items():
        for method in methods.keys() - {"parameters"}:
            headers = {one["name"] for one in methods[method]["parameters"] if one["in"] == "header"}
            assert ("Prefer" in headers) != path.startswith(("/unified/", "/proxy/", "/custom/")), (method, path)
    created = paths["/sync-job-run"]["post"]["responses"]["201"]
    assert {"Preference-Applied"} <= created["headers"].keys()
