"""What is wrong with an installation: each finding says what, why it matters, and what to do."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from app.engine.objects.daemons import RAPID_BRIDGE_QUEUE, name_queue
from app.services.diagnosis.findings import Finding, Installation, Severity
from app.services.diagnosis.landing_checks import check_destinations, check_views

_MOST_SKEW_SECONDS: Final = 2.0
_LONG_TRANSACTION_SECONDS: Final = 600.0
_LONG_WAIT_SECONDS: Final = 60.0
_LATE_DELIVERY_SECONDS: Final = 900.0
_FEW_CONNECTIONS: Final = 10
_MANY_DEAD_ROWS: Final = 100_000
_FULL_PERCENT: Final = 90


Check: TypeAlias = Callable[[Installation], Iterator[Finding]]


_OF_THE_FLEET: Final = frozenset(
    {"daemons", "leader", "units", "webhooks", "accounts", "views", "destinations", "keys"}
)
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


def _check_daemons(installation: Installation) -> Iterator[Finding]:
    assert installation.fleet is not None
    facts = installation.fleet.facts
    served = {name_queue(group) for group in facts.daemons} | ({RAPID_BRIDGE_QUEUE} if facts.daemons else set())
    for queue, seconds in facts.oldest_created_seconds.items():
        group = queue.removeprefix("daemon-group.")
        if queue not in served:
            yield Finding(
                check="daemons",
                severity=Severity.ERROR,
                message=f"runs wait in {queue} for {seconds:.0f} s, and no daemon serves it",
                why="they wait until one does",
                fix="ferryman daemon" + ("" if queue == RAPID_BRIDGE_QUEUE else f" --group {group}"),
            )
        elif seconds > _LONG_WAIT_SECONDS:
            yield Finding(
                check="daemons",
                severity=Severity.WARNING,
                message=f"the first run of {queue} has waited for {seconds:.0f} s",
                why="its daemons are busy, or hang",
                fix="add daemons of the group; 'ferryman daemon list' shows when each took its last message",
            )


def _check_leader(installation: Installation) -> Iterator[Finding]:
    assert installation.fleet is not None
    if not installation.fleet.facts.daemons:
        return
    if not installation.database.has_leader:
        yield Finding(
            check="leader",
            severity=Severity.ERROR,
            message="no daemon leads",
            why="lost messages, triggers, retention and events of no run wait for a leader",
            fix="wait for 5 s; then read the daemons' logs, and set FERRYMAN_SESSION_DATABASE_URL behind a pooler",
        )
    for duty in installation.fleet.facts.failing_duties:
        yield Finding(
            check="leader",
            severity=Severity.ERROR,
            message=f"the duty '{duty}' fails",
            why="what it does for all environments is not done",
            fix="GET /healthz shows since when and by which kind of error; the leader's log has the trace",
        )


def _check_units(installation: Installation) -> Iterator[Finding]:
    assert installation.fleet is not None
    facts = installation.fleet.facts
    if expired := facts.units.get("expired", 0):
        yield Finding(
            check="units",
            severity=Severity.WARNING,
            message=f"{expired} units have a lease that has expired",
            why="their daemon died; another one takes them over within half a minute if there is one",
            fix="look at it again in a minute",
        )


def _check_deliveries(installation: Installation) -> Iterator[Finding]:
    assert installation.fleet is not None
    facts = installation.fleet.facts
    if facts.webhooks_disabled:
        yield Finding(
            check="webhooks",
            severity=Severity.WARNING,
            message=f"{facts.webhooks_disabled} webhooks are disabled, since their receivers failed for too long",
            why="their events are not sent",
            fix="'ferryman webhook list'; mend the receiver, then 'ferryman webhook update ID --active'",
        )
    if facts.oldest_delivery_seconds > _LATE_DELIVERY_SECONDS:
        yield Finding(
            check="webhooks",
            severity=Severity.WARNING,
            message=f"the oldest event has waited for its receiver for {facts.oldest_delivery_seconds:.0f} s",
            why="its run does not end before",
            fix="'ferryman run show ID' names the receiver and its last answer",
        )


def _check_accounts(installation: Installation) -> Iterator[Finding]:
    assert installation.fleet is not None
    if count := installation.fleet.facts.accounts.get("needs_reauth", 0):
        yield Finding(
            check="accounts",
            severity=Severity.WARNING,
            message=f"{count} accounts need new credentials",
            why="their runs fail",
            fix="'ferryman account list' shows them; PATCH their context",
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


CHECKS: Final[Mapping[str, Check]] = {
    "schema": _check_schema,
    "connections": _check_connections,
    "transactions": _check_transactions,
    "bloat": _check_bloat,
    "clocks": _check_clocks,
    "broker": _check_broker,
    "daemons": _check_daemons,
    "leader": _check_leader,
    "units": _check_units,
    "webhooks": _check_deliveries,
    "accounts": _check_accounts,
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
    "webhooks": lambda _: "none is disabled, no event waits for long",
    "accounts": lambda _: "none needs new credentials",
    "views": lambda _: "all are made",
    "destinations": lambda _: "none fails",
    "keys": lambda _: "the encryption key opens the database's secrets; messages are signed",
}
