"""The metrics' names, and what the documentation says of them."""

import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.core import CollectorRegistry

from app import meters
from app.api.resources.fleet_metrics import FleetCollector
from app.services.diagnosis.fleet import DestinationState, Fleet, FleetFacts, SilentDaemon
from app.sources.limiter.gate_state import GateState
from workers.metrics import DAEMON_GAUGES, describe_gates

ROOT = Path(__file__).parents[2]
DOCUMENTED = re.findall(r"^\| `(ferryman_\w+)`", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE)
ALERTS = (ROOT / "deploy/prometheus/alerts.yml").read_text()
BOUNDED_LABELS = {
    *("status", "error_code", "integration", "found", "method", "route", "type", "outcome"),
    *("queue", "destination", "state", "group", "duty", "kind", "reason", "version", "python", "le"),
}
FACTS = FleetFacts(
    runs={"running": 2},
    oldest_created_seconds={"daemon-group.a": 3.5},
    units={"leased": 1},
    accounts={"active": 4},
    daemons={"a": 1},
    failing_duties=["triggers"],
    destinations={("s3", "failing"): 1},
    needy_destinations=[
        DestinationState(id="d", type="s3", lag_records=7, lag_seconds=5.0, failing_seconds=3.0),
    ],
    silent_daemons=[SilentDaemon(label="a-1", group_key="a", seconds=9.0)],
)
FLEET = Fleet(facts=FACTS, queue_head_seconds={"daemon-group.a": 1.0}, is_broker_reachable=True)
GATES = [
    GateState(integration="hubspot", window=8, pace=None, in_flight=3, waiting=1),
    GateState(integration="hubspot", window=4, pace=2.5, in_flight=1, waiting=0),
    GateState(integration="github", window=64, pace=None, in_flight=0, waiting=0),
]


def families() -> dict[str, Any]:
    counted = {metric.name: metric for metric in meters.REGISTRY.collect()}
    shown = {metric.name: metric for metric in (*FleetCollector(FLEET).collect(), *describe_gates(GATES))}
    return counted | shown


def shown_names() -> set[str]:
    names = {f"{metric.name}_total" if metric.type == "counter" else metric.name for metric in families().values()}
    return {"ferryman_build_info" if name == "ferryman_build" else name for name in names} | set(DAEMON_GAUGES)


def test_the_documentation_lists_every_metric_once() -> None:
    assert sorted(DOCUMENTED) == sorted(shown_names())


def test_every_alert_is_documented_and_asks_for_metrics_that_exist() -> None:
    names = {name.removesuffix("_bucket") for name in re.findall(r"ferryman_[a-z_]+", ALERTS)}
    alerts = re.findall(r"alert: (\w+)", ALERTS)

    assert names <= shown_names()
    assert alerts == re.findall(r"^\| `(Ferryman\w+)`", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", sorted(families()))
def test_labels_are_bounded(name: str) -> None:
    labels = {label for sample in families()[name].samples for label in sample.labels}

    assert labels <= BOUNDED_LABELS


def test_gates_are_summed_by_integration() -> None:
    registry = CollectorRegistry()

    class Gates:
        def collect(self) -> Any:
            return describe_gates(GATES)

    registry.register(Gates())

    def value(name: str, integration: str) -> float | None:
        return registry.get_sample_value(f"ferryman_limiter_{name}", {"integration": integration})

    assert (value("accounts", "hubspot"), value("window", "hubspot"), value("in_flight", "hubspot")) == (2, 12, 4)
    assert (value("pace", "hubspot"), value("paced_accounts", "hubspot")) == (2.5, 1)
    assert (value("waiting", "github"), value("pace", "github")) == (0, None)
