"""The log by fakes: what may be asked of each kind, and a call that is answered though it can not be logged."""

import logging
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from app.engine.errors import InvalidInputError, StoreUnavailableError
from app.engine.logs.entries import LogType
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page
from app.services.calls.call_log import AnsweredCall, CallLog
from app.services.reading.logs import LogService, LogSource
from tests.unit.services.service_fakes import FakeClock
from tests.unit.services.service_tables import ENVIRONMENT

LONG_AGO = {("created_at", "gt"): datetime(2020, 1, 1, tzinfo=UTC)}
ACCOUNT = "7b3a0000-0000-4000-8000-000000000001"
CALL = AnsweredCall(
    environment_id=ENVIRONMENT,
    integrated_account_id=ACCOUNT.upper(),
    api="unified",
    resource="crm/contacts",
    method="list",
    response_status=200,
    duration_ms=12,
    error=None,
    request_id="request",
)


@dataclass
class FakeLog:
    """Remembers what it was asked for."""

    asked: list[ListFilters] = field(default_factory=list)

    def read(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[str]:
        self.asked.append(filters)
        return Page(result=[f"entry of {environment_id}"], next_cursor=None, limit=filters.limit)


@pytest.fixture
def log() -> FakeLog:
    return FakeLog()


@pytest.fixture
def service(log: FakeLog) -> LogService:
    bound_range = LogSource(read=log.read, filters=frozenset({"status", "event"}))
    return LogService(
        {LogType.WEBHOOKS: bound_range, LogType.TRIGGERS: replace(bound_range, most=1000, is_bounded=False)},
        FakeClock(),
    )


def test_log_goes_back_a_month_unless_it_is_told_otherwise(log: FakeLog, service: LogService) -> None:
    page = service.read(ENVIRONMENT, LogType.WEBHOOKS, ListFilters(equal={"status": "pending"}))

    assert page.result == ["entry of environment"]
    begins = FakeClock().now() - timedelta(days=31)
    assert log.asked == [ListFilters(equal={"status": "pending"}, times={("created_at", "gte"): begins})]


def test_all_that_can_not_be_asked_is_told_at_once(log: FakeLog, service: LogService) -> None:
    filters = ListFilters(equal={"method": "list"}, among=[("id", ["x"])], times=LONG_AGO, limit=101)

    with pytest.raises(InvalidInputError) as raised:
        service.read(ENVIRONMENT, LogType.WEBHOOKS, filters)

    told = {failure.path: failure.message for failure in raised.value.failures}
    assert told["method"] == "the log of webhook is not narrowed by it: expected any of event, status"
    assert told["limit"] == "expected a number from 1 to 100 for the log of webhook"
    assert sorted(told) == ["created_at[gt]", "id", "limit", "method"]
    assert log.asked == []


@pytest.mark.parametrize(
    ("filters", "is_own"),
    [
        (ListFilters(equal={"environment_id": ENVIRONMENT}), True),
        (ListFilters(among=[("environment_id", ["elsewhere", ENVIRONMENT])]), True),
        (ListFilters(equal={"environment_id": "elsewhere"}), False),
        (ListFilters(equal={"environment_id": ENVIRONMENT}, among=[("environment_id", ["elsewhere"])]), False),
    ],
    ids=["own", "own-among-others", "another", "own-and-another"],
)
def test_log_of_another_environment_is_empty(
    log: FakeLog, service: LogService, filters: ListFilters, is_own: bool
) -> None:
    page = service.read(ENVIRONMENT, LogType.TRIGGERS, replace(filters, limit=7))

    assert (bool(page.result), page.limit) == (is_own, 7)
    assert log.asked == ([ListFilters(limit=7)] if is_own else [])


def test_log_without_bounds_is_read_as_it_is_asked(log: FakeLog, service: LogService) -> None:
    filters = ListFilters(times=LONG_AGO, limit=1000)

    service.read(ENVIRONMENT, LogType.TRIGGERS, filters)

    assert log.asked == [filters]


@dataclass
class FakeCalls:
    """Direct calls, or a store that breaks."""

    fault: Exception | None = None
    calls: dict[str, AnsweredCall] = field(default_factory=dict)

    def add(self, id: str, call: AnsweredCall) -> None:
        if self.fault:
            raise self.fault
        self.calls[id] = call


def test_call_is_written_down() -> None:
    calls = FakeCalls()

    CallLog(calls.add).record(CALL)

    assert list(calls.calls.values()) == [replace(CALL, integrated_account_id=ACCOUNT)]


def test_call_is_written_down_as_far_as_a_row_can_hold_it() -> None:
    calls = FakeCalls()

    CallLog(calls.add).record(replace(CALL, integrated_account_id="nobody", resource="a\0b", error="x" * 2000))
    CallLog(calls.add).record(replace(CALL, integrated_account_id=None, resource=None))

    first, second = calls.calls.values()
    assert (first.integrated_account_id, first.resource, first.error) == (None, "ab", "x" * 1000)
    assert (second.integrated_account_id, second.resource) == (None, None)


@pytest.mark.parametrize("fault", [StoreUnavailableError(), ValueError("hush")])
def test_call_that_can_not_be_logged_is_no_fault_of_the_call(
    fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        CallLog(FakeCalls(fault).add).record(CALL)

    (record,) = caplog.records
    assert (record.__dict__["request_id"], record.__dict__["reason"]) == ("request", type(fault).__name__)
    assert "hush" not in caplog.text
