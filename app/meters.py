"""What a process measures of itself, for Prometheus: every metric that is counted, in one place.

Names follow https://prometheus.io/docs/practices/naming. No label holds an id of an account, a run or a tenant: the
number of series stays bounded. Processes of the API share their values through ``PROMETHEUS_MULTIPROC_DIR``.
"""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

REGISTRY: Final = CollectorRegistry()
"""The metrics of this process."""

_REQUEST_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_WAIT_BUCKETS: Final = (0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 1800, 7200)

RUNS_ENDED: Final = Counter(
    "ferryman_runs_ended_total",
    "Runs that this process has ended, by status and by the code of the error that ended them.",
    ("status", "error_code"),
    registry=REGISTRY,
)
RUN_START_DELAY: Final = Histogram(
    "ferryman_run_start_delay_seconds",
    "Time from a run's creation until a daemon wrote its first units.",
    buckets=_WAIT_BUCKETS,
    registry=REGISTRY,
)
RECORDS: Final = Counter(
    "ferryman_records_fetched_total", "Records of the pages that were written.", ("integration",), registry=REGISTRY
)
QUARANTINED: Final = Counter(
    "ferryman_records_quarantined_total",
    "Records of the pages that were written which could not be stored or sent.",
    ("integration",),
    registry=REGISTRY,
)
PAGES: Final = Counter("ferryman_pages_total", "Pages that were written.", ("integration",), registry=REGISTRY)
SLICES: Final = Counter(
    "ferryman_slices_total",
    "Messages that were worked on, by what they found: work, or nothing as they came twice or late.",
    ("found",),
    registry=REGISTRY,
)
REDISPATCHED: Final = Counter(
    "ferryman_messages_redispatched_total",
    "Messages of units and runs that the leader sent again, since nobody had acted on the ones before.",
    registry=REGISTRY,
)
LEASES_LOST: Final = Counter(
    "ferryman_leases_lost_total",
    "Slices that ended since their lease had expired or their unit was cancelled.",
    registry=REGISTRY,
)
UPSTREAM_REQUESTS: Final = Counter(
    "ferryman_upstream_requests_total",
    "Requests to upstreams, retries included, by HTTP status; 'none' is no answer.",
    ("integration", "status"),
    registry=REGISTRY,
)
UPSTREAM_SECONDS: Final = Histogram(
    "ferryman_upstream_request_seconds",
    "Time until an upstream's answer was received.",
    ("integration",),
    buckets=_REQUEST_BUCKETS,
    registry=REGISTRY,
)
DELIVERIES: Final = Counter(
    "ferryman_deliveries_total",
    "Attempts to deliver an event to a webhook, by HTTP status; 'none' is no answer.",
    ("status",),
    registry=REGISTRY,
)
DELIVERY_SECONDS: Final = Histogram(
    "ferryman_delivery_seconds",
    "Time until a webhook's receiver had answered.",
    buckets=_REQUEST_BUCKETS,
    registry=REGISTRY,
)
NOTIFICATIONS: Final = Counter(
    "ferryman_notifications_total",
    "Attempts to send a notification, by the type of its destination and by outcome: sent or failed.",
    ("type", "outcome"),
    registry=REGISTRY,
)
DESTINATION_RECORDS: Final = Counter(
    "ferryman_destination_records_total",
    "Entries of logs that destinations have passed, by their datastore's type and by outcome: "
    "written, unchanged, quarantined or filtered.",
    ("type", "outcome"),
    registry=REGISTRY,
)
DESTINATION_FAILURES: Final = Counter(
    "ferryman_destination_failures_total",
    "Failed attempts to write to destinations, by the code of their error.",
    ("error_code",),
    registry=REGISTRY,
)
BULK_ACTED: Final = Counter(
    "ferryman_bulk_action_runs_total",
    "Runs that bulk actions were tried on, by the action and by outcome: done, skipped or failed.",
    ("kind", "outcome"),
    registry=REGISTRY,
)
SWEEP_SECONDS: Final = Histogram(
    "ferryman_sweep_look_seconds",
    "Time that the leader's look at what is due took.",
    buckets=_REQUEST_BUCKETS,
    registry=REGISTRY,
)
API_SECONDS: Final = Histogram(
    "ferryman_api_request_seconds",
    "Time until the API had answered.",
    ("method", "route", "status"),
    buckets=_REQUEST_BUCKETS,
    registry=REGISTRY,
)
SPANS_SENT: Final = Counter(
    "ferryman_spans_sent_total", "Spans of traces that the collector has taken.", registry=REGISTRY
)
SPANS_DROPPED: Final = Counter(
    "ferryman_spans_dropped_total",
    "Spans of traces that were dropped, since as many waited as may, or the collector did not take them.",
    ("reason",),
    registry=REGISTRY,
)
