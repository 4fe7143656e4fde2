"""A customer of Ferryman: makes accounts and jobs, posts runs and waits for them, by the public HTTP API alone."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from app.client import ApiClient
from app.engine.ids import new_id
from app.engine.json_types import JSON, JsonObject
from app.engine.status import FINAL_RUN_STATUSES, RunStatus
from bench.measurement import BenchError

TICKETS: Final = "tickets"
COMMENTS: Final = "comments"
MARKS: Final = "marks"
LISTING: Final[Sequence[JsonObject]] = ({"resource": TICKETS, "method": "list", "persist": True},)
NESTED: Final[Sequence[JsonObject]] = (
    *LISTING,
    {
        "resource": COMMENTS,
        "method": "list",
        "persist": True,
        "depends_on": TICKETS,
        "query": {"ticket": "{{resources.tickets.id}}"},
    },
)

PAGES: Final[Mapping[str, JSON]] = {
    "pagination": {"format": "cursor", "config": {"cursor_path": "next_cursor", "cursor_param": "cursor"}},
    "response_path": "data",
}
# A poll costs the API a few milliseconds: often enough to be patient, seldom enough not to be what is measured.
POLL_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """A job with an account to run it for."""

    account_id: str
    job_id: str

    @property
    def body(self) -> JsonObject:
        """Return a body of POST /sync-job-run."""
        return {"sync_job_id": self.job_id, "integrated_account_id": self.account_id}


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedRun:
    """A run that has completed, and how long its customer waited."""

    id: str
    seconds: float
    """From just before POST to ``finished_at``, both on this machine's clock."""
    shown: JsonObject
    posted_at: float
    """On this machine's monotonic clock."""

    def counted(self, resource: str, counter: str) -> int:
        """Read a counter of the run's own books."""
        return int(self.shown["resource_stats"][resource]["list"][counter])


@dataclass(frozen=True, slots=True)
class Customer:
    """A client of the API."""

    api: ApiClient = field(repr=False)

    def sync(
        self, base_url: str, resources: Sequence[JsonObject] = LISTING, *, config: Mapping[str, JSON] = PAGES
    ) -> Sync:
        """Make an integration, an account and a job."""
        return self.syncs(base_url, 1, resources, config=config)[0]

    def syncs(
        self,
        base_url: str,
        accounts: int,
        resources: Sequence[JsonObject] = LISTING,
        *,
        config: Mapping[str, JSON] = PAGES,
    ) -> list[Sync]:
        """Make an integration, a job and so many accounts."""
        name = f"bench-{new_id()}"
        self.api.post("/integration", {"name": name, "config": {"base_url": base_url, **config}})
        job = self.api.post("/sync-job", {"integration_name": name, "resources": list(resources), "args_schema": {}})
        account = {"integration_name": name, "tenant_id": "bench", "context": {}}
        made = [self.api.post("/integrated-account", account)["id"] for _ in range(accounts)]
        return [Sync(account_id=account_id, job_id=job["id"]) for account_id in made]

    def webhook(self, target_url: str) -> str:
        """Make a webhook; give its id."""
        return str(self.api.post("/webhook", {"target_url": target_url})["id"])

    def run(self, sync: Sync, *, timeout_seconds: float = 1800.0, **options: JSON) -> FinishedRun:
        """Post a run and wait until it has completed."""
        posted_at, posted_time = time.monotonic(), time.time()
        run_id = str(self.api.post("/sync-job-run", {**sync.body, **options})["id"])
        shown = self.completed(run_id, timeout_seconds=timeout_seconds)
        seconds = moment(shown["finished_at"]) - posted_time
        return FinishedRun(id=run_id, seconds=seconds, shown=shown, posted_at=posted_at)

    def completed(self, run_id: str, *, timeout_seconds: float = 1800.0) -> JsonObject:
        """Wait for a run's end; raise BenchError unless it completed."""
        deadline = time.monotonic() + timeout_seconds
        while (run := self.api.get(f"/sync-job-run/{run_id}"))["status"] not in FINAL_RUN_STATUSES:
            if time.monotonic() > deadline:
                raise BenchError(f"run {run_id} has not ended within {timeout_seconds:g} s: {run['status']}")
            time.sleep(POLL_SECONDS)
        if run["status"] != RunStatus.COMPLETED:
            raise BenchError(f"run {run_id} ended as {run['status']}: {run['error']}")
        shown: JsonObject = run
        return shown


def moment(shown: str) -> float:
    """Read a time of the API as seconds since 1970."""
    return datetime.fromisoformat(shown).timestamp()
