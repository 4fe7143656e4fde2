"""One look at all runs under way and the daemons, over the HTTP API."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from app.cli.running.stats import list_resources
from app.client import ApiClient, ApiError
from app.engine.json_types import JsonObject
from app.engine.status import LIVE_RUN_STATUSES, ResourceStatus

_DAEMONS: Final = 100
_NOTHING: Final[JsonObject] = {"waits": [], "seconds": None, "is_slow": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen at one moment."""

    seconds: float
    """On a clock that only goes on."""
    runs: Sequence[JsonObject]
    daemons: Sequence[JsonObject]
    has_more: bool
    """Whether more runs are under way than were looked at."""
    fetched: Mapping[str, int] = field(default_factory=dict)
    """The records of each run until then."""

    @property
    def shown(self) -> JsonObject:
        """Return it as JSON."""
        return {"runs": list(self.runs), "daemons": list(self.daemons), "has_more": self.has_more}


def look(client: ApiClient, *, limit: int, seconds: float, before: Look | None = None) -> Look:
    """Look at the newest runs that have not ended; their rates are those since the look before, or else of all time."""
    query = {"status[in]": ",".join(sorted(LIVE_RUN_STATUSES)), "limit": limit}
    page = client.get("/sync-job-run", query)
    daemons = client.get("/daemon", {"limit": _DAEMONS, "sort": "-updated_at"})["result"]
    fetched = {run["id"]: _count_fetched(run) for run in page["result"]}
    return Look(
        seconds=seconds,
        runs=[_describe_run(client, run, fetched[run["id"]], seconds, before) for run in page["result"]],
        daemons=[daemon for daemon in daemons if daemon["status"] != "stopped"],
        has_more=bool(page["next_cursor"]),
        fetched=fetched,
    )


def _describe_run(client: ApiClient, run: JsonObject, fetched: int, seconds: float, before: Look | None) -> JsonObject:
    found = _explain(client, run["id"])
    waits = [wait["message"] for wait in found["waits"]]
    return {
        "id": run["id"],
        "status": run["status"],
        "integrated_account_id": run["integrated_account_id"],
        "job": (run.get("sync_job") or {}).get("label") or run["sync_job_id"],
        "resources": _list_running(run),
        "records": fetched,
        "records_per_second": _measure_rate(run["id"], fetched, seconds, before, found["seconds"]),
        "seconds": found["seconds"],
        "waits": waits,
        "is_slow": found["is_slow"],
    }


def _explain(client: ApiClient, run_id: str) -> JsonObject:
    """Ask what a run waits for; nothing of one that was removed meanwhile."""
    try:
        found: JsonObject = client.get(f"/sync-job-run/{quote(run_id, safe='')}/waits")
    except ApiError as error:
        if error.status != 404:
            raise
        return _NOTHING
    return found


def _list_running(run: JsonObject) -> list[str]:
    return [name for name, stats in list_resources(run) if stats.get("status") == ResourceStatus.RUNNING]


def _count_fetched(run: JsonObject) -> int:
    return sum(stats.get("fetched", 0) for _, stats in list_resources(run))


def _measure_rate(
    run_id: str, fetched: int, seconds: float, before: Look | None, taken_seconds: float | None
) -> float | None:
    if before is not None and run_id in before.fetched and seconds > before.seconds:
        return round((fetched - before.fetched[run_id]) / (seconds - before.seconds), 1)
    return round(fetched / taken_seconds, 1) if taken_seconds else None
