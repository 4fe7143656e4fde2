"""How all of an installation stands, over all environments: what an operator watches."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from app.engine.errors import BrokerUnavailableError
from app.engine.objects.daemons import RAPID_BRIDGE_QUEUE, name_queue
from app.services.ports import Clock, QueueState


@dataclass(frozen=True, slots=True, kw_only=True)
class MutexWait:
    """The run that has waited longest for another one with its mutex."""

    run_id: str
    waiting_on: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentDaemon:
    """A daemon that ended without signing off, or hangs; no other one has taken its name since."""

    label: str
    group_key: str
    seconds: float
    """Since it last reported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationState:
    """How one destination stands: all its accounts together."""

    id: str
    type: str
    """Of its datastore."""
    lag_records: int
    lag_seconds: float
    """For how long the oldest entry that is not written has waited."""
    failing_seconds: float
    """Since the first of its accounts that fail began to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetFacts:
    """What Postgres shows of runs, units, deliveries and daemons; no entry is a count of 0."""

    runs: Mapping[str, int] = field(default_factory=dict)
    """Runs that have not ended, by status."""
    oldest_created_seconds: Mapping[str, float] = field(default_factory=dict)
    """By queue: how long its first run has waited to be taken up, of those that wait for no other run."""
    mutex_wait: MutexWait | None = None
    longest_limit_seconds: float = 0.0
    """Until the last of the runs goes on that wait for their upstream's limit."""
    units: Mapping[str, int] = field(default_factory=dict)
    """Those of runs that have not ended, by state: ready, parked (a timer runs), leased, expired, blocked."""
    deliveries_pending: int = 0
    oldest_delivery_seconds: float = 0.0
    """How long the oldest event of a run has waited."""
    announcements_pending: int = 0
    accounts: Mapping[str, int] = field(default_factory=dict)
    """By status."""
    webhooks_disabled: int = 0
    views_failing: int = 0
    """Typed views, and roles that read them, that can not be made."""
    destinations_failing: Mapping[str, int] = field(default_factory=dict)
    """By the code of their error."""
    destinations: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """By the type of their datastore and their status: paused, failing, behind, current."""
    needy_destinations: Sequence[DestinationState] = ()
    """Those that fail or lag and are not paused, the worst first; no more than a bounded number of them."""
    messages_promised: int = 0
    """In the outbox: written, and not yet taken by the broker."""
    daemons: Mapping[str, int] = field(default_factory=dict)
    """Those that report and take messages, by group."""
    silent_daemons: Sequence[SilentDaemon] = ()
    """Of the last day."""
    failing_duties: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """The facts, and how old the next message of each queue is."""

    facts: FleetFacts
    queue_head_seconds: Mapping[str, float]
    """By queue: the age of its next message, 0 for an empty queue; none is shown where the broker does not show it."""
    is_broker_reachable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsTarget:
    """Where a daemon serves its metrics."""

    address: str
    group_key: str
    label: str


class FleetStatus:
    """Reads how the fleet stands."""

    def __init__(
        self,
        read_facts: Callable[[], FleetFacts],
        list_targets: Callable[[], Sequence[MetricsTarget]],
        look_at_queues: Callable[[Sequence[str]], Mapping[str, QueueState]],
        clock: Clock,
    ) -> None:
        self._read_facts = read_facts
        self.list_targets = list_targets
        """Lists where the daemons that report serve their metrics; raises StoreUnavailableError."""
        self._look_at_queues = look_at_queues
        self._clock = clock

    def read(self) -> Fleet:
        """Read it now; raise StoreUnavailableError."""
        facts = self._read_facts()
        queues = sorted({RAPID_BRIDGE_QUEUE, *map(name_queue, facts.daemons), *facts.oldest_created_seconds})
        try:
            states = self._look_at_queues(queues)
        except BrokerUnavailableError:
            return Fleet(facts=facts, queue_head_seconds={}, is_broker_reachable=False)
        now = self._clock.now()
        ages = {queue: _measure_age(state, now) for queue, state in states.items() if state.is_timed}
        return Fleet(facts=facts, queue_head_seconds=ages, is_broker_reachable=True)


def _measure_age(state: QueueState, now: datetime) -> float:
    return 0.0 if state.next_sent_at is None else max(0.0, (now - state.next_sent_at).total_seconds())
