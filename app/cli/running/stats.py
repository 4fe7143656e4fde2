"""What a run's JSON holds about its resources."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from app.engine.json_types import JsonObject
from app.engine.status import FINAL_RUN_STATUSES

_COUNTERS: Final = ("fetched", "persisted", "unchanged", "errors")
_SOMETIMES: Final = ("repeated", "quarantined")
_WEBHOOK_COUNTERS: Final = ("fetched", "queued", "delivered", "errors")


def list_resources(run: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """List a run's resources, each by its name and method, with its counters."""
    for resource, methods in (run.get("resource_stats") or {}).items():
        for method, stats in methods.items():
            yield f"{resource} {method}", stats


def choose_counters(run: JsonObject) -> Sequence[str]:
    """Return the names of the counters that are shown of a run."""
    *counters, last = _WEBHOOK_COUNTERS if run.get("webhook_id") else _COUNTERS
    some = [name for name in _SOMETIMES if any(stats.get(name) for _, stats in list_resources(run))]
    return [*counters, *some, last]


def format_counts(stats: JsonObject, counters: Sequence[str]) -> str:
    """Return counters in one line."""
    return "  ".join(f"{stats.get(name, 0):,} {name}" for name in counters)


def count_errors(run: JsonObject) -> int:
    """Count the errors of a run that no resume has retried."""
    return sum(stats.get("errors", 0) - stats.get("retried", 0) for _, stats in list_resources(run))


def is_final(run: JsonObject) -> bool:
    """Whether a run has ended."""
    return run["status"] in FINAL_RUN_STATUSES


def format_duration(run: JsonObject) -> str | None:
    """Return how long a run took, or has taken so far; None for one that has not started."""
    if not run.get("started_at"):
        return None
    ended = datetime.fromisoformat(run["finished_at"]) if run.get("finished_at") else datetime.now(UTC)
    seconds = max(0.0, (ended - datetime.fromisoformat(run["started_at"])).total_seconds())
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"
