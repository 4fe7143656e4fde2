"""Persisted records over HTTP."""

import json

import pytest
from sqlalchemy import Engine, text

from app.engine.ids import new_id
from tests.integration.api.calling import Caller, Catalog

_INSERT = text("""
    insert into record (integrated_account_id, resource, remote_id, data, content_hash, sync_job_run_id, synced_at)
    values (:account_id, :resource, :id, cast(:data as jsonb), '', :run_id, :synced_at)
""")
RUN_ID = "0190f0f0-0000-7000-8000-00000000000a"


@pytest.fixture
def account_id(catalog: Catalog, engine: Engine) -> str:
    """The id of an account with five records of two resources."""
    account_id = str(catalog.account["id"])
    rows = [("users", "1"), ("users", "10"), ("users", "2"), ("tickets", "1"), ("tickets", "é, ☃")]
    with engine.begin() as connection:
        for day, (resource, id) in enumerate(rows, start=1):
            facts = {"account_id": account_id, "resource": resource, "id": id, "synced_at": f"2026-01-0{day}T00:00Z"}
            data = json.dumps({"id": id, "big": 2**70, "ratio": 0.1})
            connection.execute(_INSERT, {**facts, "data": data, "run_id": RUN_ID if day > 3 else new_id()})
    return account_id


def test_pages_through_records_by_resource_and_id(api: Caller, account_id: str) -> None:
    seen, cursor = [], ""
    while cursor is not None:
        page = api.get("/record", integrated_account_id=account_id, limit=2, next_cursor=cursor).body
        seen += [(record["resource"], record["id"]) for record in page["result"]]
        cursor = page["next_cursor"]

    assert seen == [("tickets", "1"), ("tickets", "é, ☃"), ("users", "1"), ("users", "10"), ("users", "2")]


def test_shows_a_record_exactly(api: Caller, account_id: str) -> None:
    (record,) = api.get("/record", integrated_account_id=account_id, **{"synced_at[lte]": "2026-01-01"}).body["result"]

    assert record["data"] == {"id": "1", "big": 2**70, "ratio": 0.1}
    assert (record["integrated_account_id"], record["synced_at"]) == (account_id, "2026-01-01T00:00:00.000Z")


def test_shows_a_record_that_is_nested_deeply(api: Caller, account_id: str, engine: Engine) -> None:
    deep = "[" * 700 + "]" * 700
    facts = {"account_id": account_id, "resource": "deep", "id": "1", "synced_at": "2026-01-09T00:00Z"}
    with engine.begin() as connection:
        connection.execute(_INSERT, {**facts, "data": deep, "run_id": RUN_ID})

    answer = api.get("/record", integrated_account_id=account_id, resource="deep")

    assert answer.status == 200
    assert json.dumps(answer.body["result"][0]["data"]) == deep


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("resource=users", 3),
        ("resource=none", 0),
        ("synced_at[gt]=2026-01-03T00:00:00.000Z", 2),
        ("synced_at[gte]=2026-01-03T00:00:00.000Z", 3),
        ("synced_at[lt]=2026-01-03T02:00:00%2B02:00", 2),
        ("synced_at[lt]=2026-01-03T02:00:00+02:00", 2),
        (f"sync_job_run_id={RUN_ID}", 2),
        (f"sync_job_run_id={RUN_ID}&resource=users", 0),
    ],
)
def test_narrows_records(api: Caller, account_id: str, query: str, count: int) -> None:
    answer = api.call("GET", f"/record?integrated_account_id={account_id}&{query}")

    assert len(answer.body["result"]) == count


@pytest.mark.parametrize("query", ["", "integrated_account_id=x", "integrated_account_id="])
def test_needs_an_account(api: Caller, query: str) -> None:
    answer = api.call("GET", f"/record?{query}")

    assert (answer.status, answer.paths) == (400, ["integrated_account_id"])


def test_refuses_a_cursor_that_it_never_gave(api: Caller, account_id: str) -> None:
    cursors = ["x", "WyJhIl0", "WyJhXHUwMDAwIiwiYiJd", "bnVsbA", "é"]

    answers = [api.get("/record", integrated_account_id=account_id, next_cursor=cursor) for cursor in cursors]

    assert [(answer.status, answer.paths) for answer in answers] == [(400, ["next_cursor"])] * len(cursors)
