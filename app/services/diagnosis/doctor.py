"""What is wrong with an installation and with where records land: each finding says what, why, and what to do."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from app.services.diagnosis.findings import Finding, Installation, Severity
from app.services.diagnosis.fleet_checks import FLEET_CHECKS, FleetCheck


def check_views(installation: Installation) -> Iterator[Finding]:
    """Find rights that Ferryman's role lacks for views and their readers."""
    assert installation.fleet is not None
    if count := installation.fleet.facts.views_failing:
        yield Finding(
            check="views",
            severity=Severity.WARNING,
            message=f"{count} views or readers' roles can not be made",
            why="typed columns are not shown, or nobody may read them; records are kept as always",
            fix="'ferryman schema list' and 'show ID' say why in view_error and reader_error: grant what they name",
        )


def check_destinations(installation: Installation) -> Iterator[Finding]:
    """Find destinations that fail, by what they fail with."""
    assert installation.fleet is not None
    failing = installation.fleet.facts.destinations_failing
    if failing:
        codes = ", ".join(f"{code} ({count})" for code, count in sorted(failing.items()))
        yield Finding(
            check="destinations",
            severity=Severity.WARNING,
            message=f"destinations fail: {codes}",
            why="their records wait in Postgres, which grows",
            fix="'ferryman destination list' and 'show ID' say why in words; then 'ferryman destination resume ID'",
        )


_MOST_SKEW_SECONDS: Final = 2.0
_LONG_TRANSACTION_SECONDS: Final = 600.0
_FEW_CONNECTIONS: Final = 10
_MANY_DEAD_ROWS: Final = 100_000
_FULL_PERCENT: Final = 90


Check: TypeAlias = Callable[[Installation], Iterator[Finding]]


_OF_THE_FLEET: Final = frozenset({*FLEET_CHECKS, "views", "destinations", "keys"})
"""They read tables that only the current schema has."""
_NO_FLEET: Final = "the schema is not the one that this version knows"
_LATER: Final = "run 'ferryman migrate', then this command again"


def examine(installation: Installation) -> Sequence[Finding]:
    """Run all checks; a check without a finding is a finding that all is well."""
    found: list[Finding] = []
    for name, check in CHECKS.items():
        if installation.fleet is None and name in _OF_THE_FLEET:
            found.append(
                Finding(check=name, severity=Severity.WARNING, message="not checked", why=_NO_FLEET, fix=_LATER)
            )
            continue
        findings = list(check(installation))
        found += findings or [Finding(check=name, severity=Severity.OK, message=_WELL[name](installation))]
    return found


def _check_schema(installation: Installation) -> Iterator[Finding]:
    database = installation.database
    if database.revision != database.newest_revision:
        yield Finding(
            check="schema",
            severity=Severity.ERROR,
            message=f"the schema is at {database.revision or 'none'}, this version needs {database.newest_revision}",
            why="APIs and daemons refuse to work on a schema that they do not know",
            fix="run 'ferryman migrate' with the newest version",
        )
    if database.is_read_only:
        yield Finding(
            check="schema",
            severity=Severity.ERROR,
            message="Postgres takes no changes",
            why="it is a standby, or its disk is full: no run moves on",
            fix="point DATABASE_URL at the primary, or make room",
        )


def _check_connections(installation: Installation) -> Iterator[Finding]:
    database = installation.database
    left = database.most_connections - database.connections
    if left < _FEW_CONNECTIONS:
        yield Finding(
            check="connections",
            severity=Severity.WARNING if left > 0 else Severity.ERROR,
            message=f"{database.connections} of {database.most_connections} connections are taken",
            why="a process that gets none answers 503, and its runs wait",
            fix="raise max_connections, lower FERRYMAN_DATABASE_POOL_SIZE, or put a pooler between (docs/scaling.md)",
        )


def _check_transactions(installation: Installation) -> Iterator[Finding]:
    seconds = installation.database.longest_transaction_seconds
    if seconds > _LONG_TRANSACTION_SECONDS:
        yield Finding(
            check="transactions",
            severity=Severity.WARNING,
            message=f"a transaction has been open for {seconds:.0f} s",
            why="Postgres removes no dead row that it might still see, so tables and indexes grow",
            fix="find it in pg_stat_activity by xact_start, and end it",
        )


def _check_bloat(installation: Installation) -> Iterator[Finding]:
    for table, (dead, live) in installation.database.dead_rows.items():
        if dead > max(_MANY_DEAD_ROWS, live):
            yield Finding(
                check="bloat",
                severity=Severity.WARNING,
                message=f"table {table} has {dead} dead rows beside {live} live ones",
                why="every statement on it reads more than it needs",
                fix=f"look why autovacuum does not keep up; 'vacuum (analyze) {table}' helps at once",
            )


def _check_clocks(installation: Installation) -> Iterator[Finding]:
    skews = {"Postgres": installation.database.skew_seconds, "the broker": installation.broker.skew_seconds}
    for name, skew in skews.items():
        if skew is not None and abs(skew) > _MOST_SKEW_SECONDS:
            side = "ahead of" if skew > 0 else "behind"
            yield Finding(
                check="clocks",
                severity=Severity.WARNING,
                message=f"the clock of {name} is {abs(skew):.1f} s {side} this machine's",
                why="signatures of webhooks, tokens and timers are judged by these clocks",
                fix="run an NTP client on each machine",
            )


def _check_broker(installation: Installation) -> Iterator[Finding]:
    broker = installation.broker
    if not broker.is_reachable:
        yield Finding(
            check="broker",
            severity=Severity.ERROR,
            message="the broker can not be reached",
            why="runs are accepted and wait; nothing is lost",
            fix="start it, or correct BROKER_URL",
        )
    if broker.policy not in (None, "noeviction"):
        yield Finding(
            check="broker",
            severity=Severity.WARNING,
            message=f"the broker's maxmemory-policy is {broker.policy}",
            why="a full broker then drops messages and rate budgets, which are sent again only after a while",
            fix="set maxmemory-policy noeviction",
        )
    if broker.used_bytes and broker.most_bytes and broker.used_bytes * 100 > broker.most_bytes * _FULL_PERCENT:
        yield Finding(
            check="broker",
            severity=Severity.ERROR,
            message=f"the broker's memory is full: {broker.used_bytes} of {broker.most_bytes} bytes",
            why="it takes no more messages",
            fix="raise maxmemory, or add daemons that empty the queues",
        )


def _check_keys(installation: Installation) -> Iterator[Finding]:
    if installation.key_fault is not None:
        yield Finding(
            check="keys",
            severity=Severity.ERROR,
            message=installation.key_fault,
            why="no credential and no secret can be read",
            fix="set FERRYMAN_ENCRYPTION_KEY to the key that the database was written with",
        )
    if not installation.has_message_key:
        yield Finding(
            check="keys",
            severity=Severity.WARNING,
            message="FERRYMAN_MESSAGE_KEY is not set",
            why="whoever can write to the broker can have daemons work",
            fix="set the same 32 random characters or more for all APIs and daemons",
        )


def _give_facts(check: FleetCheck) -> Check:
    def check_facts(installation: Installation) -> Iterator[Finding]:
        assert installation.fleet is not None
        return check(installation, installation.fleet.facts)

    return check_facts


CHECKS: Final[Mapping[str, Check]] = {
    "schema": _check_schema,
    "connections": _check_connections,
    "transactions": _check_transactions,
    "bloat": _check_bloat,
    "clocks": _check_clocks,
    "broker": _check_broker,
    **{name: _give_facts(check) for name, check in FLEET_CHECKS.items()},
    "views": check_views,
    "destinations": check_destinations,
    "keys": _check_keys,
}


def _describe_clocks(installation: Installation) -> str:
    known = "Postgres'" if installation.broker.skew_seconds is None else "Postgres' and the broker's"
    return f"{known} within {_MOST_SKEW_SECONDS:g} s of this machine's"


def _describe_daemons(installation: Installation) -> str:
    daemons = installation.fleet.facts.daemons if installation.fleet else {}
    shown = ", ".join(f"{count} in group '{group}'" for group, count in sorted(daemons.items()))
    return f"{shown or 'none'}; no run waits for one"


_WELL: Final[Mapping[str, Callable[[Installation], str]]] = {
    "schema": lambda one: f"Postgres {one.database.version}, schema {one.database.revision}",
    "connections": lambda one: f"{one.database.connections} of {one.database.most_connections} are taken",
    "transactions": lambda _: "none has been open for long",
    "bloat": lambda one: f"{one.database.size_bytes / 1e6:.0f} MB; no table has many dead rows",
    "clocks": _describe_clocks,
    "broker": lambda _: "it is reached",
    "daemons": _describe_daemons,
    "leader": lambda one: "one daemon leads" if one.database.has_leader else "there is no daemon to lead",
    "units": lambda _: "no lease has expired",
    "mutexes": lambda _: "no run waits long for another one",
    "limits": lambda _: "no run waits long for its upstream's",
    "webhooks": lambda _: "none is disabled, no event waits for long",
    "accounts": lambda _: "none needs new credentials",
    "views": lambda _: "all are made",
    "destinations": lambda _: "none fails",
    "keys": lambda _: "the encryption key opens the database's secrets; messages are signed",
}
