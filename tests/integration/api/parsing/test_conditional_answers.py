"""Answers that are waited for, left out because they are known, or told as problems."""

import threading
import time

import pytest

from tests.integration.api.calling import Caller, Catalog

PROBLEM = "application/problem+json"


def test_waiting_ends_with_the_run(api: Caller, catalog: Catalog) -> None:
    run_id = api.post("/sync-job-run", catalog.run_body).body["id"]
    began, waited = time.monotonic(), []
    caller = threading.Thread(target=lambda: waited.append(api.get(f"/sync-job-run/{run_id}", wait=30)))
    caller.start()

    api.patch(f"/sync-job-run/{run_id}", {"status": "stopped"})
    caller.join()

    assert (waited[0].status, waited[0].body["status"]) == (200, "stopped")
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("wait", ["-1", "61", "soon"])
def test_wait_that_is_no_time_is_refused(api: Caller, catalog: Catalog, wait: str) -> None:
    run_id = api.post("/sync-job-run", catalog.run_body).body["id"]

    answer = api.get(f"/sync-job-run/{run_id}", wait=wait)

    assert (answer.status, answer.paths) == (400, ["wait"])


def test_answer_that_the_caller_has_is_left_out(api: Caller, catalog: Catalog) -> None:
    path = f"/sync-job-run/{api.post('/sync-job-run', catalog.run_body).body['id']}"
    client, headers = api._client, api.headers
    tag = client.get(path, headers=headers).headers["ETag"]

    known = client.get(path, headers={**headers, "If-None-Match": f'"other", {tag}'})
    api.patch(path, {"status": "stopped"})
    changed = client.get(path, headers={**headers, "If-None-Match": tag})

    assert (known.status_code, known.data, known.headers["ETag"]) == (304, b"", tag)
    assert (changed.status_code, changed.json["status"], changed.headers["ETag"] != tag) == (200, "stopped", True)


def test_error_is_a_problem_for_who_asks_for_one(api: Caller) -> None:
    body = {"sync_job_id": 1, "args": {"a~b/c": 1}, "daemon_group_key": 5}

    answer = api._client.post("/sync-job-run", json=body, headers={**api.headers, "Accept": f"{PROBLEM}, */*"})
    usual = api.post("/sync-job-run", body)

    assert (answer.status_code, answer.content_type) == (400, PROBLEM)
    assert {name: answer.json[name] for name in ("type", "title", "status", "detail")} == {
        "type": "urn:ferryman:problem:bad-request",
        "title": "Bad Request",
        "status": 400,
        "detail": usual.body["message"],
    }
    assert sorted(error["pointer"] for error in answer.json["errors"]) == [f"#/{path}" for path in usual.paths]
    assert answer.json["instance"] == f"urn:uuid:{answer.headers['X-Request-Id']}"
