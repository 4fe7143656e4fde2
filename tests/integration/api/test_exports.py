"""Records as files over HTTP."""

import io
import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pyarrow import parquet
from sqlalchemy import Engine, text

from app.engine.ids import new_id
from app.services.reading import exports
from app.store.reading import exports as reading
from tests.integration.api.calling import Caller, Catalog

_INSERT = text("""
    insert into record (integrated_account_id, resource, remote_id, data, content_hash, sync_job_run_id, sequence,
                        deleted_at)
    values (:account_id, :resource, :id, cast(:data as jsonb), '', :run_id, :sequence, :deleted_at)
""")
_LOG = text("""
    insert into account_log (integrated_account_id, last_sequence, trimmed_through)
    values (:account_id, :last, :trimmed)
""")
RUN_ID = "0190f0f0-0000-7000-8000-00000000000b"
TICKETS: Mapping[str, Any] = {
    "1": {"id": 1, "price": 2, "open": True, "tags": ["a"]},
    "2": {"id": 2, "price": 2.5, "open": None, "note": "é"},
    "3": {"id": 2**63, "price": "free"},
    "4": ["no object"],
}


@pytest.fixture
def account_id(catalog: Catalog, engine: Engine) -> str:
    """The id of an account with four tickets, and one that was deleted."""
    account_id = str(catalog.account["id"])
    fill(engine, account_id, TICKETS)
    return account_id


def fill(engine: Engine, account_id: str, records: Mapping[str, Any], *, trimmed: int = 0) -> None:
    with engine.begin() as connection:
        for sequence, (id, record) in enumerate(records.items(), start=trimmed + 1):
            facts = {"account_id": account_id, "resource": "tickets", "id": id, "sequence": sequence, "run_id": RUN_ID}
            connection.execute(_INSERT, {**facts, "data": json.dumps(record), "deleted_at": None})
        gone = {"account_id": account_id, "resource": "tickets", "id": "gone", "run_id": new_id()}
        sequence = trimmed + len(records) + 1
        connection.execute(_INSERT, {**gone, "sequence": sequence, "data": "{}", "deleted_at": "2026-01-02T00:00Z"})
        connection.execute(_LOG, {"account_id": account_id, "last": sequence, "trimmed": trimmed})


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def export(client: FlaskClient, api: Caller, *, accept: str = "", **query: Any) -> Any:
    headers = {**api.headers, **({"Accept": accept} if accept else {})}
    return client.get("/record/export", query_string={"resource": "tickets", **query}, headers=headers)


def lines(answer: Any) -> list[Any]:
    assert answer.status_code == 200, answer.get_data()
    return [json.loads(line) for line in answer.get_data().splitlines()]


def test_exports_typed_columns_of_all_records_and_what_does_not_fit_stays_in_data(
    client: FlaskClient, api: Caller, account_id: str
) -> None:
    found = lines(export(client, api, with_data="true"))

    assert [list(row) for row in found] == [
        [
            *("account_id", "tenant_id", "remote_id", "sequence", "synced_at", "deleted_at"),
            *("id", "note", "open", "price", "tags", "data"),
        ]
    ] * 4
    assert [row["id"] for row in found] == [1, 2, 2**63, None]
    assert [row["price"] for row in found] == ["2", "2.5", "free", None]
    assert [row["open"] for row in found] == [True, None, None, None]
    assert [row["tags"] for row in found] == [["a"], None, None, None]
    assert {row["remote_id"]: row["data"] for row in found} == TICKETS
    assert {(row["account_id"], row["tenant_id"], row["deleted_at"]) for row in found} == {(account_id, "t1", None)}


@pytest.mark.parametrize(
    ("accept", "query", "media_type"),
    [
        ("", {}, "application/x-ndjson"),
        ("*/*", {}, "application/x-ndjson"),
        ("application/json", {}, "application/x-ndjson"),
        ("text/csv", {}, "text/csv; charset=utf-8"),
        ("text/csv;q=0.5, application/vnd.apache.parquet", {}, "application/vnd.apache.parquet"),
        ("text/csv", {"format": "parquet"}, "application/vnd.apache.parquet"),
    ],
)
def test_format_is_what_the_caller_accepts_unless_the_query_names_one(
    client: FlaskClient, api: Caller, account_id: str, accept: str, query: dict[str, str], media_type: str
) -> None:
    answer = export(client, api, accept=accept, **query)

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == media_type
    assert "Content-Length" not in answer.headers
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=tickets.")


def test_parquet_has_what_json_lines_have(client: FlaskClient, api: Caller, account_id: str) -> None:
    table = parquet.read_table(io.BytesIO(export(client, api, format="parquet").get_data()))

    assert table["remote_id"].to_pylist() == [*TICKETS]
    assert table["price"].to_pylist() == ["2", "2.5", "free", None]
    assert str(table.schema.field("id").type) == "decimal128(38, 9)"


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({"id": "2"}, ["2"]),
        ({"sync_job_run_id": RUN_ID}, ["1", "2", "3", "4"]),
        ({"with_deleted": "true"}, ["1", "2", "3", "4", "gone"]),
        ({"synced_at[lt]": "2026-01-01"}, []),
        ({"after_seq": "2"}, ["3", "4", "gone"]),
        ({"after_seq": "5"}, []),
    ],
)
def test_narrows_what_is_exported(
    client: FlaskClient, api: Caller, account_id: str, query: dict[str, str], ids: list[str]
) -> None:
    answer = export(client, api, integrated_account_id=account_id, **query)

    assert [row["remote_id"] for row in lines(answer)] == ids
    assert answer.headers["Ferryman-Through-Seq"] == "5"


def test_a_change_after_the_beginning_belongs_to_the_next_export(
    client: FlaskClient, api: Caller, account_id: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_FIRST_ROWS", 1)
    monkeypatch.setattr(reading, "_MOST_ROWS", 1)
    answer = export(client, api, integrated_account_id=account_id, after_seq=0)
    with engine.begin() as connection:
        connection.execute(
            text("update record set sequence = 6 where integrated_account_id = :id and remote_id in ('1', '3')"),
            {"id": account_id},
        )

    assert [row["remote_id"] for row in lines(answer)] == ["1", "2", "4", "gone"]
    assert answer.headers["Ferryman-Through-Seq"] == "5"


def test_names_a_gap_that_retention_has_left(
    client: FlaskClient, api: Caller, catalog: Catalog, engine: Engine
) -> None:
    account_id = str(catalog.account["id"])
    fill(engine, account_id, {"1": {}}, trimmed=10)

    answers = [export(client, api, integrated_account_id=account_id, after_seq=after) for after in (9, 10)]

    assert [answer.headers.get("Ferryman-Gap-Until") for answer in answers] == ["10", None]


def test_exports_all_accounts_of_one_integration_and_asks_which_where_there_are_two(
    client: FlaskClient, api: Caller, account_id: str, engine: Engine
) -> None:
    api.post("/integration", {"name": "other", "config": {"base_url": "https://api.example.com"}})
    second = api.post("/integrated-account", {"integration_name": "acme", "tenant_id": "t2"}).body["id"]
    third = api.post("/integrated-account", {"integration_name": "other", "tenant_id": "t3"}).body["id"]
    for id in (second, third):
        fill(engine, id, {"a": {"id": 1}})

    refused = export(client, api)
    of_acme = lines(export(client, api, integration_name="acme"))

    assert refused.status_code == 400
    assert "name one of acme, other" in refused.get_json()["message"]
    assert sorted(row["tenant_id"] for row in of_acme) == ["t1"] * 4 + ["t2"]


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ({"resource": ""}, "resource"),
        ({"format": "xlsx"}, "format"),
        ({"after_seq": "1"}, "after_seq"),
        ({"integrated_account_id": new_id()}, "integrated_account_id"),
    ],
)
def test_refuses_what_can_not_be_exported(client: FlaskClient, api: Caller, query: dict[str, str], path: str) -> None:
    answer = export(client, api, **query)

    assert answer.status_code in (400, 404)
    assert [failure["path"] for failure in answer.get_json()["details"]["failures"]] == [path]


def test_names_the_known_resources_where_there_is_no_such_one(
    client: FlaskClient, api: Caller, account_id: str
) -> None:
    slip, nothing = export(client, api, resource="usrs"), export(client, api, resource="nosuch")
    of_other = export(client, api, resource="nosuch", integration_name="unheard-of")

    assert [one.status_code for one in (slip, nothing, of_other)] == [400] * 3
    (failure,) = slip.get_json()["details"]["failures"]
    assert failure == {"path": "resource", "message": "there is no resource 'usrs': did you mean 'users'?"}
    assert "there is no resource 'nosuch': expected one of users" in nothing.get_json()["message"]
    assert "of integration 'unheard-of': there are none" in of_other.get_json()["message"]


def test_a_resource_without_records_is_a_file_of_names(client: FlaskClient, api: Caller, account_id: str) -> None:
    body = {"integration_name": "acme", "tenant_id": "without-records"}
    other = api.post("/integrated-account", body).body["id"]

    of_job = export(client, api, accept="text/csv", resource="users")
    of_account = export(client, api, accept="text/csv", integrated_account_id=other)

    assert [(one.status_code, one.get_data().count(b"\r\n")) for one in (of_job, of_account)] == [(200, 1)] * 2


def test_refuses_other_types_of_content(client: FlaskClient, api: Caller) -> None:
    assert export(client, api, accept="text/html").status_code == 400


def test_refuses_a_protocol_that_hides_where_an_answer_breaks_off(client: FlaskClient, api: Caller) -> None:
    answer = client.get(
        "/record/export?resource=tickets", headers=api.headers, environ_overrides={"SERVER_PROTOCOL": "HTTP/1.0"}
    )

    assert (answer.status_code, "HTTP/1.1" in answer.get_json()["message"]) == (400, True)


def test_shows_nothing_of_another_environment(client: FlaskClient, stranger: Caller, account_id: str) -> None:
    refused = export(client, stranger)
    assert (refused.status_code, "tickets': there are none" in refused.get_json()["message"]) == (400, True)
    assert export(client, stranger, integrated_account_id=account_id).status_code == 404


def test_names_the_extra_that_is_missing(
    client: FlaskClient, api: Caller, account_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "pyarrow"]:
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("app.formats.parquet", "app.formats.arrow"):
        monkeypatch.delitem(sys.modules, name, raising=False)

    answer = export(client, api, format="parquet")

    assert answer.status_code == 501
    assert "ferryman[parquet]" in answer.get_json()["message"]


def test_a_fault_before_the_first_piece_is_an_error_and_one_later_breaks_the_answer_off(
    client: FlaskClient, api: Caller, account_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails_at = 0

    def read(*_: object) -> Iterator[Any]:
        yield from [[]] * fails_at
        raise RuntimeError("lost")

    monkeypatch.setattr(exports.ExportService, "_read", read)
    at_once = export(client, api, format="csv")
    fails_at = 2
    later = export(client, api, format="csv")

    assert at_once.status_code == 500
    assert later.status_code == 200
    with pytest.raises(RuntimeError):
        later.get_data()
