"""What a run waits for, told in words, and how fast its upstream answers."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import Page
from app.engine.objects.runs import RunError, SyncJobRun
from app.engine.runs.settling import Exchanges
from app.engine.status import ResourceStatus, RunStatus
from app.services.diagnosis.run_diagnosis import Diagnosis, RunDiagnosis
from app.services.diagnosis.run_facts import (
    DeliveryFacts,
    LastReport,
    ResourceFacts,
    RunFacts,
    SilentHolder,
    UnitFacts,
)
from tests.unit.services.service_fakes import FakeClock
from tests.unit.services.service_tables import run

NOW = FakeClock().now()
RUNNING = run(status=RunStatus.RUNNING, started_at=NOW - timedelta(seconds=60), daemon_group_key="eu", webhook_id=None)
FACTS = RunFacts(units=UnitFacts(), deliveries=DeliveryFacts(), resources=(), active_daemons=2)
USERS = ResourceFacts(
    name="users",
    method="list",
    status=ResourceStatus.RUNNING,
    exchanges=Exchanges(requests=20, answered=20, answer_ms=8_000),
    started_at=NOW - timedelta(seconds=10),
    finished_at=None,
)


ERROR = RunError(
    id="e", sync_job_run_id="r", resource=None, method=None, code="http_500", message="m", details={}, created_at=NOW
)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


class Runs:
    def __init__(self, found: SyncJobRun) -> None:
        self.found = found

    def get(self, environment_id: EnvironmentId, run_id: str) -> SyncJobRun:
        return self.found

    def list_errors(self, environment_id: EnvironmentId, run_id: str, **_: Any) -> Page[RunError]:
        return Page(result=[ERROR], next_cursor=None, limit=1)


class Facts:
    def __init__(self, found: RunFacts) -> None:
        self.found = found

    def of(self, run: SyncJobRun) -> RunFacts:
        return self.found


def explained(found: SyncJobRun = RUNNING, *, is_broker_there: bool = True, **facts: Any) -> Diagnosis:
    diagnosis = RunDiagnosis(
        runs=Runs(found),  # type: ignore[arg-type]
        read_facts=Facts(replace(FACTS, **facts)).of,
        is_broker_reachable=lambda: is_broker_there,
        clock=FakeClock(),
    )
    return diagnosis.explain(EnvironmentId("environment"), found.id)


def told(diagnosis: Diagnosis) -> list[tuple[str, str]]:
    return [(wait.kind, wait.message) for wait in diagnosis.waits]


CREATED = replace(RUNNING, status=RunStatus.CREATED, started_at=None)
STALE = UnitFacts(waiting=3, waiting_since=ago(9))
HOLDER = SilentHolder(
    label="eu-1",
    what="users",
    held_since=ago(40),
    renewed_at=ago(9),
    expires_at=ago(-6),
    reported_at=ago(12),
)
BROKER = ("broker", "the broker, to which nothing can be published; it goes on by itself once that is over")


@pytest.mark.parametrize(
    ("found", "facts", "expected"),
    [
        (replace(CREATED, waiting_on="r-9"), {"is_broker_there": False}, ("run", "run r-9, which goes first")),
        (
            replace(CREATED, waiting_on="r-9", mutex_key="k"),
            {},
            ("run", "run r-9, which goes first: both have the mutex key 'k'"),
        ),
        (CREATED, {"is_broker_there": False}, BROKER),
        (CREATED, {"active_daemons": 0}, ("daemon", "a daemon of group 'eu', and none is active")),
        (CREATED, {}, ("daemon", "a daemon of group 'eu', of which 2 are active")),
        (
            replace(CREATED, daemon_group_key=None, webhook_id="w"),
            {"active_daemons": 0},
            ("daemon", "a daemon, and none is active"),
        ),
        (
            CREATED,
            {"active_daemons": 1, "last_report": LastReport(label="eu-1", reported_at=ago(12))},
            ("daemon", "a daemon of group 'eu', of which 1 is active; daemon eu-1 reported last, 12 s ago"),
        ),
        (
            CREATED,
            {"active_daemons": 1, "last_report": LastReport(label="eu-1", reported_at=ago(26))},
            (
                "daemon",
                "a daemon of group 'eu', and none reports; daemon eu-1 reported last, 26 s ago: "
                "it is frozen, or was killed",
            ),
        ),
        (
            RUNNING,
            {"units": STALE, "silent_holder": HOLDER},
            (
                "daemon",
                "daemon eu-1, which has had a unit of users since 2026-03-01 11:59:20 UTC and gave no sign of life on "
                "it for 9 s, last heartbeat 12 s ago: it is frozen, or was killed, or can not reach Postgres; another "
                "daemon takes the unit over at 2026-03-01 12:00:06 UTC, when its lease expires",
            ),
        ),
        (
            RUNNING,
            {"silent_holder": HOLDER, "last_report": LastReport(label="eu-1", reported_at=ago(30))},
            (
                "daemon",
                "daemon eu-1, which has had a unit of users since 2026-03-01 11:59:20 UTC and gave no sign of life on "
                "it for 9 s, last heartbeat 12 s ago: it is frozen, or was killed, or can not reach Postgres; no other "
                "daemon reports that could take the unit over",
            ),
        ),
        (
            RUNNING,
            {"silent_holder": replace(HOLDER, label=None, held_since=None, expires_at=ago(1), reported_at=None)},
            (
                "daemon",
                "its daemon, which has had a unit of users and gave no sign of life on it for 9 s: it is frozen, or "
                "was killed, or can not reach Postgres; its lease has expired, and another daemon takes the unit over",
            ),
        ),
        (RUNNING, {"units": STALE, "is_broker_there": False}, BROKER),
        (RUNNING, {"units": STALE, "active_daemons": 0}, ("daemon", "a daemon of group 'eu', and none is active")),
        (RUNNING, {"units": STALE}, ("daemon", "a daemon of group 'eu', of which 2 are active")),
        (
            RUNNING,
            {"units": UnitFacts(parked=2, wakes_at=NOW)},
            ("limit", "its upstream, which asked for that, until 2026-03-01 12:00:00 UTC"),
        ),
        (
            RUNNING,
            {"units": UnitFacts(parked=2, wakes_at=NOW, working=1)},
            (
                "limit",
                "its upstream, which asked for that, until 2026-03-01 12:00:00 UTC (2 units of work; others go on)",
            ),
        ),
    ],
)
def test_run_waits_for_what_keeps_its_units(
    found: SyncJobRun, facts: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert told(explained(found, **facts)) == [expected]


@pytest.mark.parametrize(
    "units",
    [UnitFacts(), UnitFacts(waiting=3, waiting_since=ago(1)), UnitFacts(waiting=3, waiting_since=ago(9), working=1)],
    ids=["none", "just now", "beside others"],
)
def test_run_that_is_worked_on_waits_for_nothing_and_asks_no_broker(units: UnitFacts) -> None:
    def nobody() -> bool:
        raise AssertionError("the broker is asked")

    diagnosis = RunDiagnosis(
        runs=Runs(RUNNING),  # type: ignore[arg-type]
        read_facts=Facts(replace(FACTS, units=units)).of,
        is_broker_reachable=nobody,
        clock=FakeClock(),
    )

    assert told(diagnosis.explain(EnvironmentId("environment"), "run")) == []


BEGINNING = "its webhook's receiver: 7 events wait for it"


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"deliveries": DeliveryFacts(pending=7)}, BEGINNING),
        ({"deliveries": DeliveryFacts(pending=7), "units": UnitFacts(working=1)}, None),
        ({"deliveries": DeliveryFacts(attempts=3)}, None),
        ({"deliveries": DeliveryFacts(pending=7), "units": UnitFacts(blocked=1)}, BEGINNING),
        (
            {"deliveries": DeliveryFacts(pending=7, attempts=3, last_error="no answer within 30 s", retries_at=NOW)},
            f"{BEGINNING}; the last of 3 attempts at the next one: no answer within 30 s, "
            "tried again at 2026-03-01 12:00:00 UTC",
        ),
        (
            {"deliveries": DeliveryFacts(pending=7, attempts=1, last_status_code=503)},
            f"{BEGINNING}; the last of 1 attempts at the next one: answered 503",
        ),
        (
            {"deliveries": DeliveryFacts(pending=7, disabled_reason="it timed out")},
            f"{BEGINNING}; the webhook is disabled: it timed out",
        ),
    ],
)
@pytest.mark.parametrize("status", [RunStatus.RUNNING, RunStatus.FAILED])
def test_webhook_run_waits_for_a_receiver_that_is_down_or_behind(
    facts: dict[str, Any], message: str | None, status: RunStatus
) -> None:
    found = explained(replace(RUNNING, webhook_id="w", status=status), **facts)

    assert told(found) == ([] if message is None else [("receiver", message)])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, None),
        ({"usual_ms": 100.0}, None),
        ({"usual_ms": 80.0}, "its upstream, which is slow with users list: 400 ms for an answer, usually 80 ms"),
        ({"usual_ms": 100.0, "asked_since": ago(4)}, None),
        (
            {"usual_ms": 350.0, "asked_since": ago(6)},
            "its upstream, which is slow with users list: 400 ms for an answer, usually 350 ms; no answer for 6 s",
        ),
        ({"usual_ms": 2_000.0, "asked_since": ago(9)}, None),
        (
            {"exchanges": Exchanges(), "asked_since": ago(20)},
            "its upstream, which is slow with users list: no answer for 20 s",
        ),
        (
            {"exchanges": Exchanges(requests=9, answered=2, answer_ms=4_000), "usual_ms": 400.0},
            "its upstream, which is slow with users list: 2.0 s for an answer, usually 400 ms",
        ),
    ],
)
def test_run_waits_for_an_upstream_that_takes_five_times_as_long_as_usual(
    changes: dict[str, Any], message: str | None
) -> None:
    live = explained(resources=[replace(USERS, **changes)])
    ended = explained(replace(RUNNING, status=RunStatus.COMPLETED), resources=[replace(USERS, **changes)])

    assert told(live) == ([] if message is None else [("upstream", message)])
    assert told(ended) == []
    assert [live.resources[0].is_slow, ended.resources[0].is_slow] == [message is not None] * 2


def test_pace_of_a_resource_is_told_beside_what_is_usual() -> None:
    (pace,) = explained(resources=[replace(USERS, usual_ms=390.04)]).resources

    assert (pace.requests, pace.latency_ms, pace.usual_latency_ms) == (20, 400.0, 390.0)
    assert (pace.requests_per_second, pace.silent_seconds) == (2.0, None)


@pytest.mark.parametrize(
    ("changes", "rate"),
    [
        ({"started_at": None}, None),
        ({"started_at": ago(0.5)}, None),
        ({"exchanges": Exchanges()}, None),
        ({"finished_at": ago(6)}, 5.0),
    ],
)
def test_rate_is_told_where_there_was_time_for_one(changes: dict[str, Any], rate: float | None) -> None:
    (pace,) = explained(resources=[replace(USERS, **changes)]).resources

    assert pace.requests_per_second == rate


@pytest.mark.parametrize(
    ("usual", "is_slow"), [(None, False), (12.0, True), (13.0, False), (0.1, True)], ids=["new", "5×", "4.6×", "600×"]
)
def test_run_is_slow_when_it_takes_five_times_as_long_as_usual(usual: float | None, is_slow: bool) -> None:
    found = explained(usual_seconds=usual)

    assert (found.seconds, found.is_slow) == (60.0, is_slow)


def test_run_that_has_not_begun_has_taken_no_time() -> None:
    found = explained(CREATED, usual_seconds=1.0)

    assert (found.seconds, found.is_slow) == (None, False)


def test_short_run_is_never_slow() -> None:
    assert not explained(replace(RUNNING, started_at=ago(9)), usual_seconds=0.1).is_slow


@pytest.mark.parametrize(
    ("errors", "reason"),
    [
        (0, "It completed without an error"),
        (1, "It completed, and 1 request or record failed; the first with http_500: m"),
    ],
)
def test_run_that_completed_names_its_first_error(errors: int, reason: str) -> None:
    ended = replace(RUNNING, status=RunStatus.COMPLETED, finished_at=NOW)

    assert (
        explained(replace(ended, resource_stats={"users": {"list": {"errors": errors, "retried": 0}}})).reason == reason
    )
