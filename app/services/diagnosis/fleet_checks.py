"""What the doctor checks of runs, daemons, deliveries and accounts, over all environments."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

from app.engine.objects.daemons import RAPID_BRIDGE_QUEUE, name_queue
from app.services.diagnosis.findings import Finding, Installation, Severity
from app.services.diagnosis.fleet import FleetFacts

_LONG_WAIT_SECONDS: Final = 60.0
_LATE_DELIVERY_SECONDS: Final = 900.0
_LONG_MUTEX_SECONDS: Final = 3600.0
_LONG_LIMIT_SECONDS: Final = 600.0

FleetCheck: TypeAlias = Callable[[Installation, FleetFacts], Iterator[Finding]]


def _check_daemons(installation: Installation, facts: FleetFacts) -> Iterator[Finding]:
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
    yield from _find_silent(facts)


def _find_silent(facts: FleetFacts) -> Iterator[Finding]:
    for daemon in facts.silent_daemons:
        yield Finding(
            check="daemons",
            severity=Severity.WARNING,
            message=f"daemon {daemon.label} of group '{daemon.group_key}' fell silent {daemon.seconds:.0f} s ago",
            why="it was killed, or is frozen: it did not sign off, and no other one has taken its place",
            fix="kill it (SIGKILL) if it is still there, and have its supervisor start another",
        )


def _check_leader(installation: Installation, facts: FleetFacts) -> Iterator[Finding]:
    if not facts.daemons:
        return
    if not installation.database.has_leader:
        yield Finding(
            check="leader",
            severity=Severity.ERROR,
            message="no daemon leads",
            why="lost messages, triggers, retention and events of no run wait for a leader",
            fix="wait for 5 s; then read the daemons' logs, and set FERRYMAN_SESSION_DATABASE_URL behind a pooler",
        )
    for duty in facts.failing_duties:
        yield Finding(
            check="leader",
            severity=Severity.ERROR,
            message=f"the duty '{duty}' fails",
            why="what it does for all environments is not done",
            fix="GET /healthz shows since when and by which kind of error; the leader's log has the trace",
        )


def _check_units(installation: Installation, facts: FleetFacts) -> Iterator[Finding]:
    if expired := facts.units.get("expired", 0):
        yield Finding(
            check="units",
            severity=Severity.WARNING,
            message=f"{expired} units have a lease that has expired",
            why="their daemon died; another one takes them over within half a minute if there is one",
            fix="look at it again in a minute",
        )


def _check_deliveries(installation: Installation, facts: FleetFacts) -> Iterator[Finding]:
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


def _check_accounts(installation: Installation, facts: FleetFacts) -> Iterator[Finding]:
    if count := facts.accounts.get("needs_reauth", 0):
        yield Finding(
            check="accounts",
            severity=Severity.WARNING,
            message=f"{count} accounts need new credentials",
            why="their runs fail",
            fix="'ferryman account list' shows them; PATCH their context",
        )


def _check_mutexes(installation: Installation, facts: FleetFacts) -> Iterator[Finding]:
    wait = facts.mutex_wait
    if wait is not None and wait.seconds > _LONG_MUTEX_SECONDS:
        yield Finding(
            check="mutexes",
            severity=Severity.WARNING,
            message=f"run {wait.run_id} has waited for {wait.seconds:.0f} s for run {wait.waiting_on}, by their mutex",
            why="runs with one mutex go one at a time, in their order",
            fix=f"'ferryman run why {wait.waiting_on}'; 'ferryman run stop' it if it is of no use",
        )


def _check_limits(installation: Installation, facts: FleetFacts) -> Iterator[Finding]:
    if facts.longest_limit_seconds > _LONG_LIMIT_SECONDS:
        yield Finding(
            check="limits",
            severity=Severity.WARNING,
            message=f"{facts.runs.get('rate_limited', 0)} runs wait for their upstreams' limits, the longest for "
            f"{facts.longest_limit_seconds:.0f} s more",
            why="their upstreams asked for that",
            fix="'ferryman run list --status rate_limited'; 'ferryman account budget show ID' says until when",
        )


FLEET_CHECKS: Final[Mapping[str, FleetCheck]] = {
    "daemons": _check_daemons,
    "leader": _check_leader,
    "units": _check_units,
    "mutexes": _check_mutexes,
    "limits": _check_limits,
    "webhooks": _check_deliveries,
    "accounts": _check_accounts,
}
