"""The state of the fleet as Prometheus' metrics: gauges that are read from Postgres and the broker at each scrape."""

import platform
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from app.services.diagnosis.fleet import DestinationState, Fleet
from app.version import find_version

_OF_DESTINATIONS: Final[Sequence[tuple[str, str, Callable[[DestinationState], float]]]] = (
    (
        "ferryman_destination_backlog",
        "Numbers of accounts' logs that a destination has not written, where there are any.",
        lambda state: state.lag_records,
    ),
    (
        "ferryman_destination_lag_seconds",
        "For how long the oldest entry that a destination has not written has waited.",
        lambda state: state.lag_seconds,
    ),
    (
        "ferryman_destination_failing_seconds",
        "For how long a destination has failed for an account.",
        lambda state: state.failing_seconds,
    ),
)


class FleetCollector(Collector):
    """Yields one reading."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        yield build_info()
        yield from self._collect_labelled()
        yield from self._collect_destinations()
        yield from self._collect_plain()

    def _collect_labelled(self) -> Iterator[Metric]:
        facts = self._fleet.facts
        yield _labelled("ferryman_runs", "Runs that have not ended, by status.", "status", facts.runs)
        yield _labelled(
            "ferryman_oldest_created_run_seconds",
            "How long a queue's first run has waited for a daemon.",
            "queue",
            facts.oldest_created_seconds,
        )
        yield _labelled(
            "ferryman_queue_head_seconds", "Age of a queue's next message.", "queue", self._fleet.queue_head_seconds
        )
        yield _labelled(
            "ferryman_units",
            "Units of live runs: ready, parked (a timer runs), leased, expired (its lease), blocked.",
            "state",
            facts.units,
        )
        yield _labelled("ferryman_accounts", "Integrated accounts, by status.", "status", facts.accounts)
        yield _labelled("ferryman_daemons", "Daemons that report and take messages, by group.", "group", facts.daemons)
        yield _labelled(
            "ferryman_daemons_silent",
            "Daemons that ended without signing off, or hang, and that no other one has replaced, by group.",
            "group",
            Counter(daemon.group_key for daemon in facts.silent_daemons),
        )
        yield _labelled(
            "ferryman_duty_failing",
            "Duties of the leader that fail.",
            "duty",
            dict.fromkeys(facts.failing_duties, 1),
        )

    def _collect_destinations(self) -> Iterator[Metric]:
        facts = self._fleet.facts
        counted = GaugeMetricFamily(
            "ferryman_destinations",
            "Destinations, by their datastore's type and by status: paused, failing, behind, current.",
            labels=["type", "status"],
        )
        for labels, count in facts.destinations.items():
            counted.add_metric(labels, float(count))
        yield counted
        for name, text, read in _OF_DESTINATIONS:
            family = GaugeMetricFamily(name, text, labels=["destination", "type"])
            for state in facts.needy_destinations:
                family.add_metric([state.id, state.type], float(read(state)))
            yield family

    def _collect_plain(self) -> Iterator[Metric]:
        facts = self._fleet.facts
        mutex_seconds = facts.mutex_wait.seconds if facts.mutex_wait else 0.0
        for name, text, value in (
            ("ferryman_oldest_mutex_wait_seconds", "How long a run has waited for another's mutex.", mutex_seconds),
            ("ferryman_longest_limit_seconds", "Until the last rate-limited run goes on.", facts.longest_limit_seconds),
            ("ferryman_deliveries_pending", "Events of runs that wait for their webhook.", facts.deliveries_pending),
            ("ferryman_oldest_delivery_seconds", "Age of the oldest of these.", facts.oldest_delivery_seconds),
            ("ferryman_announcements_pending", "Events of no run that wait.", facts.announcements_pending),
            ("ferryman_webhooks_disabled", "Webhooks that Ferryman has disabled.", facts.webhooks_disabled),
            ("ferryman_messages_promised", "Messages that the broker has not taken yet.", facts.messages_promised),
            ("ferryman_broker_reachable", "Whether the API reaches the broker.", self._fleet.is_broker_reachable),
        ):
            yield GaugeMetricFamily(name, text, value=float(value))


def build_info() -> Metric:
    """Return which version runs."""
    facts = {"version": find_version(), "python": platform.python_version()}
    return InfoMetricFamily("ferryman_build", "What runs.", value=facts)


def _labelled(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for value, number in values.items():
        family.add_metric([value], float(number))
    return family
