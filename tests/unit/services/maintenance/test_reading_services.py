"""The services that mostly show: records, daemons, health."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from app.engine.errors import InvalidInputError, NotFoundError
from app.engine.json_types import JsonObject
from app.engine.objects.accounts import Erasure, ErasureStatus
from app.engine.objects.daemons import Daemon
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page
from app.engine.objects.records import LogPage, StoredRecord
from app.engine.status import DaemonStatus
from app.services.maintenance.daemons import DaemonService
from app.services.maintenance.health import HealthService, StoreState
from app.services.reading.ports import LogFilters, RecordFilters
from app.services.reading.records import RecordService
from tests.unit.services.service_tables import ELSEWHERE, ENVIRONMENT, NOON, FakeTable, account

FILTERS = RecordFilters(integrated_account_id="account")


@dataclass
class FakeDaemons:
    """Daemons by id."""

    rows: dict[str, Daemon] = field(default_factory=dict)
    failing: JsonObject = field(default_factory=dict)

    def register(self, daemon_id: str, *, group_key: str, label: str, metadata: JsonObject) -> None:
        self.rows[daemon_id] = Daemon(
            id=daemon_id,
            label=label,
            group_key=group_key,
            status=DaemonStatus.ACTIVE,
            metadata=metadata,
            created_at=NOON,
            updated_at=NOON,
        )

    def record_failing(self, daemon_id: str, faults: Mapping[str, JsonObject]) -> None:
        self.failing = {**faults}

    def read_failing_duties(self, *, within_seconds: float) -> JsonObject:
        return self.failing

    def get(self, daemon_id: str) -> Daemon | None:
        return self.rows.get(daemon_id)

    def list(self, filters: ListFilters) -> Page[Daemon]:
        rows = [row for row in self.rows.values() if filters.equal["group_key"] == row.group_key]
        return Page(result=rows[: filters.limit], next_cursor=None, limit=filters.limit)

    def count_live_by_group(self, *, within_seconds: float) -> dict[str, int]:
        groups = [row.group_key for row in self.rows.values()]
        return {group: groups.count(group) for group in groups}


class FakeRecords:
    """The records of one account."""

    def list(self, filters: RecordFilters) -> Page[StoredRecord]:
        facts: dict[str, Any] = dict.fromkeys(("created_at", "updated_at", "synced_at"), NOON)
        record = StoredRecord(
            integrated_account_id="account", resource="tickets", id="1", data={}, sync_job_run_id="run", **facts
        )
        return Page(result=[record], next_cursor=None, limit=filters.limit)


class FakeLog:
    """A log with one entry, and a gap before it."""

    def read(self, filters: LogFilters) -> LogPage:
        return LogPage(result=[], next_sequence=filters.after + 1, limit=filters.limit, gap_until=7)


class FakeTombstones:
    """As many tombstones as the name of the run is long."""

    def restore(self, account_id: str, run_id: str, resource: str | None) -> int:
        return len(run_id)


def erase(environment_id: EnvironmentId, account_id: str, resource: str) -> Erasure:
    return Erasure(
        id="erasure",
        environment_id=environment_id,
        integrated_account_id=account_id,
        resource=resource,
        status=ErasureStatus.WAITING,
        due_at=NOON,
        erased={},
        last_error=None,
        created_at=NOON,
        started_at=None,
        finished_at=None,
    )


def _service() -> RecordService:
    accounts = FakeTable(account, account())
    return RecordService(
        list_records=FakeRecords().list,
        read_log=FakeLog().read,
        restore_records=FakeTombstones().restore,
        accounts=accounts,
        erase=erase,
    )


@pytest.fixture
def daemons() -> FakeDaemons:
    made = FakeDaemons()
    made.register("d1", group_key="blue", label="one", metadata={})
    return made


def test_records_of_an_account_are_listed() -> None:
    listed = _service().list(ENVIRONMENT, FILTERS)

    assert [record.id for record in listed.result] == ["1"]


def test_the_log_is_read_on_after_a_number() -> None:
    page = _service().read_log(ENVIRONMENT, LogFilters(integrated_account_id="account", after=5))

    assert (page.next_sequence, page.gap_until) == (6, 7)


def test_what_a_run_deleted_comes_back() -> None:
    assert _service().restore(ENVIRONMENT, "account", run_id="four", resource=None) == 4


def test_records_of_a_resource_are_taken_down_to_be_erased() -> None:
    erasure = _service().erase(ENVIRONMENT, "account", "users")

    assert (erasure.integrated_account_id, erasure.resource) == ("account", "users")
    with pytest.raises(InvalidInputError):
        _service().erase(ELSEWHERE, "account", "users")


def test_records_of_an_account_of_another_environment_are_not_shown() -> None:
    with pytest.raises(InvalidInputError) as raised:
        _service().list(ELSEWHERE, FILTERS)

    assert raised.value.failures[0].path == "integrated_account_id"
    assert raised.value.failures[0].missing_reference


def test_registered_daemon_is_shown(daemons: FakeDaemons) -> None:
    service = DaemonService(daemons.get, daemons.list)

    assert service.get("d1").label == "one"
    assert [row.id for row in service.list(ListFilters(equal={"group_key": "blue"})).result] == ["d1"]
    assert service.list(ListFilters(equal={"group_key": "red"})).result == []


def test_unknown_daemon_is_not_there(daemons: FakeDaemons) -> None:
    with pytest.raises(NotFoundError):
        DaemonService(daemons.get, daemons.list).get("d2")


FAULT: JsonObject = {"retention": {"since": "2026-03-01T12:00:00.000Z", "failures": 3, "error": "DataError"}}


@pytest.mark.parametrize(
    ("postgres", "redis", "failing", "shown"),
    [
        ("ok", True, {}, {"status": "ok", "postgres": "ok", "redis": "ok"}),
        ("ok", False, {}, {"status": "degraded", "postgres": "ok", "redis": "unreachable"}),
        ("read-only", True, {}, {"status": "degraded", "postgres": "read-only", "redis": "ok"}),
        ("unreachable", True, FAULT, {"status": "unhealthy", "postgres": "unreachable", "redis": "ok"}),
        ("ok", True, FAULT, {"status": "degraded", "postgres": "ok", "redis": "ok"}),
    ],
    ids=["all is well", "no redis", "read-only postgres", "no postgres", "a duty fails"],
)
def test_health_tells_what_is_there(
    daemons: FakeDaemons, postgres: str, redis: bool, failing: JsonObject, shown: JsonObject
) -> None:
    health = HealthService(
        look_at_store=lambda: StoreState(postgres),
        others={"redis": lambda: redis},
        count_live=partial(daemons.count_live_by_group, within_seconds=60),
        read_failing_duties=lambda: daemons.failing,
        count_troubled_destinations=lambda: {"failing": 2},
    )
    daemons.record_failing("d1", failing)
    serves = postgres != "unreachable"
    nothing: JsonObject = {"duties": {}, "daemons": {}, "destinations": {}}
    known: JsonObject = {"duties": failing, "daemons": {"blue": 1}, "destinations": {"failing": 2}}
    seen = known if serves else nothing

    assert health.check() == (serves, {**shown, **seen})
