"""Runs are found by each filter and by all together, page by page, and nobody finds those of another environment."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, insert

from app.engine.errors import InvalidInputError
from app.engine.ids import new_id
from app.engine.objects.environments import EnvironmentId
from app.services.dashboard import run_lines
from app.services.dashboard.run_filters import read_filters
from app.store import tables
from app.store.dashboard import run_search
from app.store.dashboard.run_search import RunSearch
from app.store.db.database import connect

MINE, OTHER = EnvironmentId(new_id()), EnvironmentId(new_id())
JOB, ACCOUNT, SECOND = new_id(), new_id(), new_id()
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def write_run(engine: Engine, id: str, **values: Any) -> None:
    given = {
        "environment_id": MINE,
        "sync_job_id": new_id(),
        "integrated_account_id": new_id(),
        "status": "completed",
        "args": {},
        "args_hash": b"",
        "resources": [],
        "sync_job": {"integration_name": "acme"},
        "queue": "q",
        "created_at": NOON,
    }
    with engine.begin() as connection:
        connection.execute(insert(tables.sync_job_run).values(id=id, **given | values))


def write_account(engine: Engine, id: str, environment_id: str, tenant_id: str) -> None:
    integration = {"id": new_id(), "environment_id": environment_id, "name": new_id(), "config": {}}
    account = {"id": id, "environment_id": environment_id, "integration_id": integration["id"], "tenant_id": tenant_id}
    with engine.begin() as connection:
        connection.execute(insert(tables.integration).values(**integration))
        sealed = {"authentication_method": "api_key", "context_encrypted": b""}
        connection.execute(insert(tables.integrated_account).values(**account, **sealed))


@pytest.fixture(scope="module")
def database_url(postgres_server: Any) -> Iterator[str]:
    with postgres_server.fresh_database() as url:
        yield url


NAMES = ("a", "b", "c", "d", "e", "f", "g")
IDS = {name: new_id() for name in NAMES}


@pytest.fixture(scope="module")
def engine(database_url: str) -> Iterator[Engine]:
    made = connect(database_url)
    with made.begin() as connection:
        for id in (MINE, OTHER):
            connection.execute(insert(tables.environment).values(id=id, name=id))
    write_account(made, ACCOUNT, MINE, "tenant & co")
    write_account(made, SECOND, MINE, "tenant & co")
    others = new_id()
    write_account(made, others, OTHER, "tenant & co")
    pro = {"user": {"plan": "pro", "id": 5}, "tags": ["x", "y"]}
    ended = {"status": "failed", "error": {"code": "http_500", "message": "m"}}
    write_run(made, IDS["a"], integrated_account_id=ACCOUNT, args=pro, created_at=NOON)
    write_run(made, IDS["b"], sync_job_id=JOB, integrated_account_id=SECOND, created_at=NOON + timedelta(hours=1))
    at, later = NOON + timedelta(hours=2), NOON + timedelta(hours=3)
    write_run(made, IDS["c"], sync_job_id=JOB, **ended, created_at=at, finished_at=later)
    end = {"finished_at": NOON + timedelta(hours=4)}
    write_run(made, IDS["d"], status="stopped", args={"user": {"id": "5"}}, created_at=later, **end)
    write_run(made, IDS["e"], status="running", created_at=NOON + timedelta(hours=4))
    write_run(made, IDS["f"], created_at=NOON + timedelta(hours=5))
    foreign = {"environment_id": OTHER, "sync_job_id": JOB, "integrated_account_id": others, "args": pro, **ended}
    write_run(made, IDS["g"], **foreign)
    error = {"run_id": IDS["f"], "environment_id": MINE, "code": "http_500", "message": "m"}
    resource = {"position": 0, "name": "users", "resource": "users", "method": "list", "persist": True}
    with made.begin() as connection:
        connection.execute(insert(tables.run_error).values([{"id": new_id(), **error} for _ in range(3)]))
        counted = {"run_id": IDS["f"], "fetched": 10, "errors": 3, "retried": 1}
        connection.execute(insert(tables.run_resource).values(id=new_id(), **resource, **counted))
    yield made
    made.dispose()


def found(engine: Engine, *, limit: int = 50, **filters: object) -> list[str]:
    """Find runs page by page, and give their names."""
    names = {id: name for name, id in IDS.items()}
    search, cursor, runs = RunSearch(engine), None, []
    while True:
        page = search.search(MINE, read_filters(filters), limit=limit, next_cursor=cursor)
        runs += [names[run.id] for run in page.runs]
        cursor = page.next_cursor
        if cursor is None:
            assert page.count == len(runs)
            return runs


CASES: Sequence[tuple[dict[str, object], str]] = [
    ({}, "fedcba"),
    ({"status": "failed"}, "c"),
    ({"status": ["failed", "stopped"]}, "dc"),
    ({"status": "rate_limited"}, ""),
    ({"job": JOB}, "cb"),
    ({"job": JOB, "status": "completed"}, "b"),
    ({"account": ACCOUNT}, "a"),
    ({"tenant": "tenant & co"}, "ba"),
    ({"tenant": "nobody"}, ""),
    ({"args": "user.plan=pro"}, "a"),
    ({"args": "user.id=5"}, "da"),
    ({"args": 'user.id="5"'}, "d"),
    ({"args": "tags=y"}, "a"),
    ({"args": ["user.id=5", "user.plan=pro"]}, "a"),
    ({"args": "user.plan=free"}, ""),
    ({"error": "http_500"}, "fc"),
    ({"error": "http_500", "status": "completed"}, "f"),
    ({"error": "http_404"}, ""),
    ({"since": "2026-03-01T15:00Z"}, "fed"),
    ({"since": "2026-03-01T13:00Z", "until": "2026-03-01T15:00Z"}, "cb"),
    ({"finished_from": "2026-03-01T14:30Z", "finished_to": "2026-03-01T15:30Z"}, "c"),
    ({"finished_from": "2026-03-01T15:30Z"}, "d"),
    ({"finished_to": "2026-03-01T15:30Z", "status": "failed"}, "c"),
    ({"until": "2026-03-01T12:01Z", "tenant": "tenant & co", "args": "user.plan=pro", "status": "completed"}, "a"),
]


@pytest.mark.parametrize(("filters", "expected"), CASES)
@pytest.mark.parametrize("limit", [1, 50])
@pytest.mark.parametrize("most_counted", [10_000, 0], ids=["few", "many"])
def test_filters_find_what_they_name(
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    filters: dict[str, object],
    expected: str,
    limit: int,
    most_counted: int,
) -> None:
    if most_counted == 0:
        # Every search is then one of those that find too many to sort.
        monkeypatch.setattr(run_search, "MOST_COUNTED", 0)
        page = RunSearch(engine).search(MINE, read_filters(filters), limit=50)
        assert "".join({id: name for name, id in IDS.items()}[run.id] for run in page.runs) == expected
        assert page.is_capped == bool(expected)
    else:
        assert "".join(found(engine, limit=limit, **filters)) == expected


def test_tenant_of_many_accounts_has_all_of_them(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_search, "_MOST_ACCOUNTS", 1)

    assert found(engine, tenant="tenant & co") == ["b", "a"]


def test_line_shows_what_its_run_has_come_to(engine: Engine) -> None:
    page = RunSearch(engine).search(MINE, read_filters({"error": "http_500"}), limit=50)

    last, failed = page.runs
    assert (last.fetched, last.errors, last.error_code, last.tenant_id) == (10, 2, None, None)
    assert (failed.status, failed.error_code, failed.job_label, failed.integration) == (
        *("failed", "http_500", None, "acme"),
    )
    assert page.count <= run_lines.MOST_COUNTED


@pytest.mark.parametrize("cursor", ["", "x", "e30", "WyJhIiwiYiJd", "WyIyMDI2LTAxLTAxIiwiYiJd"])
def test_foreign_cursor_is_refused(engine: Engine, cursor: str) -> None:
    with pytest.raises(InvalidInputError):
        RunSearch(engine).search(MINE, read_filters({}), limit=50, next_cursor=cursor)
