"""Each check of ``ferryman doctor`` finds its fault, and nothing else does."""

from dataclasses import replace
from typing import Any

import pytest

from app.services.diagnosis.doctor import CHECKS, examine
from app.services.diagnosis.findings import BrokerFacts, DatabaseFacts, Installation, Severity
from app.services.diagnosis.fleet import Fleet, FleetFacts, MutexWait, SilentDaemon

DATABASE = DatabaseFacts(
    version="17.2",
    revision="0021",
    newest_revision="0021",
    is_read_only=False,
    connections=20,
    most_connections=100,
    size_bytes=50_000_000,
    longest_transaction_seconds=1.0,
    has_leader=True,
    skew_seconds=0.01,
)
SILENT = SilentDaemon(label="d-1@m", group_key="eu", seconds=300.0)
MUTEX = MutexWait(run_id="r-2", waiting_on="r-1", seconds=4000.0)
FACTS = FleetFacts(daemons={"default": 2}, accounts={"active": 3}, units={"leased": 1})
WELL = Installation(
    database=DATABASE,
    broker=BrokerFacts(is_reachable=True, used_bytes=1, most_bytes=100, policy="noeviction", skew_seconds=-0.5),
    fleet=Fleet(facts=FACTS, queue_head_seconds={}, is_broker_reachable=True),
)


def with_database(**changes: Any) -> Installation:
    return replace(WELL, database=replace(DATABASE, **changes))


def with_broker(**changes: Any) -> Installation:
    return replace(WELL, broker=replace(WELL.broker, **changes))


def with_fleet(**changes: Any) -> Installation:
    return replace(WELL, fleet=replace(WELL.fleet, facts=replace(FACTS, **changes)))


def test_a_well_installation_is_well_in_every_check() -> None:
    findings = examine(WELL)

    assert [finding.check for finding in findings] == list(CHECKS)
    assert {finding.severity for finding in findings} == {Severity.OK}


def test_before_the_first_migration_the_schema_is_wrong_and_nothing_else_is_said_to_be_well() -> None:
    findings = examine(replace(with_database(revision=None, has_leader=False), fleet=None))

    assert [finding.check for finding in findings if finding.severity is Severity.ERROR] == ["schema"]
    unchecked = [finding.check for finding in findings if finding.message == "not checked"]
    assert unchecked == [
        *("daemons", "leader", "units", "mutexes", "limits", "webhooks", "accounts"),
        *("views", "destinations", "keys"),
    ]


def test_a_clock_that_was_not_read_is_not_said_to_be_right() -> None:
    (found,) = [one for one in examine(with_broker(skew_seconds=None)) if one.check == "clocks"]

    assert "broker" not in found.message


@pytest.mark.parametrize(
    ("installation", "check", "severity", "words"),
    [
        (with_database(revision="0020"), "schema", Severity.ERROR, "0020"),
        (with_database(is_read_only=True), "schema", Severity.ERROR, "takes no changes"),
        (with_database(connections=95), "connections", Severity.WARNING, "95 of 100"),
        (with_database(connections=100), "connections", Severity.ERROR, "100 of 100"),
        (with_database(longest_transaction_seconds=7200.0), "transactions", Severity.WARNING, "7200 s"),
        (with_database(dead_rows={"unit": (500_000, 1000)}), "bloat", Severity.WARNING, "table unit"),
        (with_database(skew_seconds=30.0), "clocks", Severity.WARNING, "Postgres is 30.0 s ahead"),
        (with_broker(skew_seconds=-9.0), "clocks", Severity.WARNING, "the broker is 9.0 s behind"),
        (with_broker(is_reachable=False), "broker", Severity.ERROR, "can not be reached"),
        (with_broker(policy="allkeys-lru"), "broker", Severity.WARNING, "allkeys-lru"),
        (with_broker(used_bytes=95), "broker", Severity.ERROR, "full"),
        (with_fleet(oldest_created_seconds={"daemon-group.eu": 3.0}), "daemons", Severity.ERROR, "no daemon serves it"),
        (with_fleet(oldest_created_seconds={"daemon-group.default": 99.0}), "daemons", Severity.WARNING, "99 s"),
        (
            with_fleet(daemons={}, oldest_created_seconds={"rapid-bridge": 1.0}),
            "daemons",
            Severity.ERROR,
            "rapid-bridge",
        ),
        (with_database(has_leader=False), "leader", Severity.ERROR, "no daemon leads"),
        (with_fleet(failing_duties=["triggers"]), "leader", Severity.ERROR, "'triggers' fails"),
        (with_fleet(silent_daemons=[SILENT]), "daemons", Severity.WARNING, "d-1@m of group 'eu' fell silent 300 s ago"),
        (with_fleet(units={"expired": 4}), "units", Severity.WARNING, "4 units"),
        (with_fleet(mutex_wait=MUTEX), "mutexes", Severity.WARNING, "run r-2 has waited for 4000 s for run r-1"),
        (
            with_fleet(runs={"rate_limited": 3}, longest_limit_seconds=3500.0),
            "limits",
            Severity.WARNING,
            "3 runs wait for their upstreams' limits, the longest for 3500 s more",
        ),
        (with_fleet(webhooks_disabled=1), "webhooks", Severity.WARNING, "1 webhooks"),
        (with_fleet(oldest_delivery_seconds=4000.0), "webhooks", Severity.WARNING, "4000 s"),
        (with_fleet(accounts={"needs_reauth": 2}), "accounts", Severity.WARNING, "2 accounts"),
        (with_fleet(views_failing=3), "views", Severity.WARNING, "3 views"),
        (
            with_fleet(destinations_failing={"missing_rights": 2}),
            "destinations",
            Severity.WARNING,
            "missing_rights (2)",
        ),
        (replace(WELL, key_fault="the key is another one"), "keys", Severity.ERROR, "another one"),
        (replace(WELL, has_message_key=False), "keys", Severity.WARNING, "FERRYMAN_MESSAGE_KEY"),
    ],
)
def test_a_fault_is_found_by_its_check(installation: Installation, check: str, severity: Severity, words: str) -> None:
    wrong = [finding for finding in examine(installation) if finding.severity]

    assert [(finding.check, finding.severity) for finding in wrong] == [(check, severity)]
    assert words in wrong[0].message
    assert wrong[0].why and wrong[0].fix
