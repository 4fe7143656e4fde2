"""A daemon's own metrics, on a port of its own: what it has counted, and how its pool and its accounts' gates stand."""

import errno
import logging
import socket
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from celery.worker import state
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app import meters
from app.sources.limiter.gate_state import GateState
from workers.runtime import services

logger = logging.getLogger(__name__)

_PORTS: Final = 100
_ANY_ADDRESS: Final = ("", "0.0.0.0", "::")  # noqa: S104  # compared, not bound to


def serve() -> str | None:
    """Serve the metrics on the first free port from the configured one on; return the address, None for nowhere."""
    settings = services().settings
    if not settings.metrics_port:
        return None
    registry = CollectorRegistry()
    registry.register(meters.REGISTRY)
    registry.register(DaemonCollector())
    host = settings.metrics_host
    shown_host = socket.gethostname() if host in _ANY_ADDRESS else host
    for port in range(settings.metrics_port, min(settings.metrics_port + _PORTS, 65536)):
        try:
            start_http_server(port, addr=host, registry=registry)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                continue
            logger.warning("metrics can not be served", extra={"host": host, "port": port, "reason": error.strerror})
            return None
        logger.info("metrics are served", extra={"host": host, "port": port})
        return f"{shown_host}:{port}"
    logger.warning("metrics can not be served: no port is free", extra={"host": host, "port": settings.metrics_port})
    return None


DAEMON_GAUGES: Final[Mapping[str, tuple[str, Callable[[], float]]]] = {
    "ferryman_leader": (
        "Whether this daemon runs the background duties.",
        lambda: services().leadership.was_held,
    ),
    "ferryman_pool_active": ("Messages that the pool works on.", lambda: len(state.active_requests)),
    "ferryman_pool_reserved": ("Messages that the daemon has taken.", lambda: len(state.reserved_requests)),
    "ferryman_deliveries_in_flight": (
        "Deliveries without an answer yet.",
        lambda: services().delivery_pool.under_way,
    ),
    "ferryman_messages_refused": (
        "Messages that were none of Ferryman's.",
        lambda: sum(services().dropped.counts.values()),
    ),
}


class DaemonCollector(Collector):
    """Yields the present state of this daemon at each scrape."""

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        for name, (text, read) in DAEMON_GAUGES.items():
            yield GaugeMetricFamily(name, text, value=float(read()))
        yield from describe_gates(services().list_gates())


def describe_gates(gates: Sequence[GateState]) -> Iterator[Metric]:
    """Yield the sums over the accounts of each integration."""
    sums: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for gate in gates:
        values: dict[str, float] = {
            "accounts": 1,
            "window": gate.window,
            "in_flight": gate.in_flight,
            "waiting": gate.waiting,
        }
        for name, value in values.items():
            sums[name][gate.integration] += value
        if gate.pace is not None:
            sums["paced_accounts"][gate.integration] += 1
            sums["pace"][gate.integration] += gate.pace
    for name, text in _GATES.items():
        family = GaugeMetricFamily(f"ferryman_limiter_{name}", text, labels=["integration"])
        for integration, value in sums[name].items():
            family.add_metric([integration], value)
        yield family


_GATES: Final = {
    "accounts": "Accounts that this daemon sends requests to.",
    "window": "Requests that may be in flight to these, over all daemons.",
    "in_flight": "Requests of this daemon that are in flight to these.",
    "waiting": "Requests of this daemon that wait for these accounts' limits.",
    "paced_accounts": "Those of the accounts whose requests have a rate.",
    "pace": "These rates, in requests per second.",
}
