"""What a run waits for, in words."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from app.engine.objects.runs import SyncJobRun
from app.engine.runs.landing import AwaitedDestination
from app.engine.status import RunStatus
from app.engine.times import format_utc_for_people
from app.services.diagnosis.paces import ResourcePace
from app.services.diagnosis.run_facts import DeliveryFacts, RunFacts, SilentHolder, UnitFacts

_UNTAKEN_SECONDS: Final = 5.0
"""After this time no daemon is about to take a waiting unit."""


class WaitKind(StrEnum):
    """What something waits for."""

    RUN = "run"
    """Another run, which has the mutex."""
    BROKER = "broker"
    """Nothing can be published."""
    DAEMON = "daemon"
    """A daemon of its group, or one that has room."""
    LIMIT = "limit"
    """The upstream asked to wait."""
    RECEIVER = "receiver"
    """The receiver of its webhook."""
    DESTINATION = "destination"
    """A destination that has not written all that the run has changed."""
    UPSTREAM = "upstream"
    """The upstream's answers, which are slower than usual, or do not come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """A reason why a run waits."""

    kind: WaitKind
    message: str
    """Ends the sentence "it waits for ..."."""
    until: datetime | None = None
    """When the wait ends by itself; None: not known."""
    resource: str | None = None


def find_waits(
    run: SyncJobRun, facts: RunFacts, now: datetime, *, is_broker_reachable: Callable[[], bool]
) -> list[Wait]:
    """Return what a run waits for; the broker is probed only where it may be the reason."""
    if run.status is RunStatus.CREATED:
        return [_wait_for_start(run, facts, now, is_broker_reachable)]
    found = []
    if not run.status.is_final:
        if facts.silent_holder is not None:
            found.append(_wait_for_holder(facts.silent_holder, facts, now))
        elif _is_untaken(facts.units, now):
            found.append(_wait_for_daemon(run, facts, now, is_broker_reachable))
        if facts.units.parked:
            found.append(_wait_for_limit(facts.units))
    if not run.status.is_final:
        found += [_wait_for_destination(run, one, facts) for one in facts.destinations if not one.has_landed]
    if run.webhook_id is not None and (receiver := _wait_for_receiver(facts)):
        found.append(receiver)
    return found


def _wait_for_destination(run: SyncJobRun, awaited: AwaitedDestination, facts: RunFacts) -> Wait:
    since, limit = run.landing_since, facts.destination_wait_seconds
    until = since + timedelta(seconds=limit) if since and limit else None
    end = f"; the run fails at {format_utc_for_people(until)} if that has not come" if until else ""
    return Wait(kind=WaitKind.DESTINATION, message=f"{awaited.describe()}{end}")


def find_upstream_wait(pace: ResourcePace) -> Wait | None:
    """Return the wait for an upstream that is slow with a resource."""
    if not pace.is_slow:
        return None
    reasons = []
    if pace.latency_ms is not None and pace.usual_latency_ms is not None:
        reasons.append(f"{_format(pace.latency_ms)} for an answer, usually {_format(pace.usual_latency_ms)}")
    if pace.silent_seconds is not None:
        reasons.append(f"no answer for {pace.silent_seconds:.0f} s")
    message = f"its upstream, which is slow with {pace.resource} {pace.method}: {'; '.join(reasons)}"
    return Wait(kind=WaitKind.UPSTREAM, message=message, resource=pace.resource)


def _wait_for_start(run: SyncJobRun, facts: RunFacts, now: datetime, is_broker_reachable: Callable[[], bool]) -> Wait:
    if run.waiting_on:
        key = "" if run.mutex_key is None else f": both have the mutex key '{run.mutex_key}'"
        return Wait(kind=WaitKind.RUN, message=f"run {run.waiting_on}, which goes first{key}")
    return _wait_for_daemon(run, facts, now, is_broker_reachable)


def _wait_for_daemon(run: SyncJobRun, facts: RunFacts, now: datetime, is_broker_reachable: Callable[[], bool]) -> Wait:
    if not is_broker_reachable():
        message = "the broker, to which nothing can be published; it goes on by itself once that is over"
        return Wait(kind=WaitKind.BROKER, message=message)
    group = run.daemon_group_key
    whose = "a daemon" if group is None else f"a daemon of group '{group}'"
    last = facts.last_report
    told = "" if last is None else f"; daemon {last.label} reported last, {_count_seconds(last.reported_at, now)} ago"
    if not facts.active_daemons:
        return Wait(kind=WaitKind.DAEMON, message=f"{whose}, and none is active{told}")
    if not _is_reporting(facts, now):
        return Wait(kind=WaitKind.DAEMON, message=f"{whose}, and none reports{told}: it is frozen, or was killed")
    some = "1 is" if facts.active_daemons == 1 else f"{facts.active_daemons:,} are"
    return Wait(kind=WaitKind.DAEMON, message=f"{whose}, of which {some} active{told}")


def _is_reporting(facts: RunFacts, now: datetime) -> bool:
    """Whether a daemon of the run's group has reported lately."""
    last = facts.last_report
    return last is None or (now - last.reported_at).total_seconds() <= facts.unheard_seconds


def _wait_for_holder(holder: SilentHolder, facts: RunFacts, now: datetime) -> Wait:
    whose = "its daemon" if holder.label is None else f"daemon {holder.label}"
    since = "" if holder.held_since is None else f" since {format_utc_for_people(holder.held_since)}"
    heard = "" if holder.reported_at is None else f", last heartbeat {_count_seconds(holder.reported_at, now)} ago"
    until = holder.expires_at if holder.expires_at > now else None
    over = "its lease has expired, and another daemon takes the unit over"
    if until is not None:
        over = f"another daemon takes the unit over at {format_utc_for_people(until)}, when its lease expires"
    if not _is_reporting(facts, now):
        over = "no other daemon reports that could take the unit over"
    message = (
        f"{whose}, which has had a unit of {holder.what}{since} and gave no sign of life on it "
        f"for {_count_seconds(holder.renewed_at, now)}{heard}: it is frozen, or was killed, or can not reach Postgres; "
        f"{over}"
    )
    return Wait(kind=WaitKind.DAEMON, message=message, until=until)


def _count_seconds(since: datetime, now: datetime) -> str:
    return f"{max(0.0, (now - since).total_seconds()):,.0f} s"


def _is_untaken(units: UnitFacts, now: datetime) -> bool:
    if not units.waiting or units.working or units.waiting_since is None:
        return False
    return (now - units.waiting_since).total_seconds() >= _UNTAKEN_SECONDS


def _wait_for_limit(units: UnitFacts) -> Wait:
    assert units.wakes_at is not None
    message = f"its upstream, which asked for that, until {format_utc_for_people(units.wakes_at)}"
    if units.working or units.waiting:
        message += f" ({units.parked:,} units of work; others go on)"
    return Wait(kind=WaitKind.LIMIT, message=message, until=units.wakes_at)


def _wait_for_receiver(facts: RunFacts) -> Wait | None:
    deliveries, units = facts.deliveries, facts.units
    is_kept = deliveries.attempts or deliveries.disabled_reason or units.blocked
    is_last = not (units.working or units.waiting or units.parked)
    if not deliveries.pending or not (is_kept or is_last):
        return None
    message = f"its webhook's receiver: {deliveries.pending:,} events wait for it{_describe_failures(deliveries)}"
    return Wait(kind=WaitKind.RECEIVER, message=message, until=deliveries.retries_at)


def _describe_failures(deliveries: DeliveryFacts) -> str:
    if deliveries.disabled_reason:
        return f"; the webhook is disabled: {deliveries.disabled_reason}"
    if not deliveries.attempts:
        return ""
    answer = deliveries.last_error or f"answered {deliveries.last_status_code}"
    retried = (
        "" if deliveries.retries_at is None else f", tried again at {format_utc_for_people(deliveries.retries_at)}"
    )
    return f"; the last of {deliveries.attempts} attempts at the next one: {answer}{retried}"


def _format(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.1f} s" if milliseconds >= 1000 else f"{milliseconds:.0f} ms"
