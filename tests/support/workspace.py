"""An environment of a running Ferryman as its user sees it: by the public HTTP API alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.client import ApiClient
from app.engine.ids import new_id
from app.engine.json_types import JSON, JsonObject
from app.engine.status import FINAL_RUN_STATUSES
from tests.support.patience import LONGEST_SECONDS, wait_for
from tests.support.receiver import Receiver

CURSOR_PAGES: Mapping[str, JSON] = {
    "pagination": {"format": "cursor", "config": {"cursor_path": "next_cursor", "cursor_param": "cursor"}},
    "response_path": "data",
}
"""How tests' upstreams hand out their pages."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """An environment of a test's own."""

    api: ApiClient = field(repr=False)

    def sync(
        self,
        base_url: str,
        resources: Sequence[JsonObject],
        *,
        config: Mapping[str, JSON] = CURSOR_PAGES,
        context: Mapping[str, JSON] | None = None,
        args_schema: Mapping[str, JSON] | None = None,
    ) -> "Sync":
        """Make an integration, an account and a job, ready to run."""
        name = f"acme-{new_id()}"
        self.api.post("/integration", {"name": name, "config": {"base_url": base_url, **config}})
        account = {"integration_name": name, "tenant_id": "tenant-1", "context": dict(context or {})}
        job = {"integration_name": name, "resources": list(resources), "args_schema": dict(args_schema or {})}
        return Sync(
            self.api, self.api.post("/integrated-account", account)["id"], self.api.post("/sync-job", job)["id"]
        )

    def webhook(self, receiver: Receiver) -> str:
        """Make a webhook to a receiver, which learns its secret; give its id."""
        webhook = self.api.post("/webhook", {"target_url": receiver.url})
        receiver.secret = webhook["secret"]
        return str(webhook["id"])


@dataclass(frozen=True, slots=True)
class Sync:
    """A job with an account to run it for."""

    api: ApiClient = field(repr=False)
    account_id: str
    job_id: str

    @property
    def body(self) -> JsonObject:
        """A valid body of POST /sync-job-run."""
        return {"sync_job_id": self.job_id, "integrated_account_id": self.account_id}

    def start(self, **options: JSON) -> str:
        """Post a run; give its id."""
        return str(self.api.post("/sync-job-run", {**self.body, **options})["id"])

    def run(self, **options: JSON) -> JsonObject:
        """Post a run, wait for its end and give it."""
        return self.finished(self.start(**options))

    def show(self, run_id: str) -> JsonObject:
        """Read a run."""
        run: JsonObject = self.api.get(f"/sync-job-run/{run_id}")
        return run

    def status(self, run_id: str) -> str:
        """Read how a run stands."""
        return str(self.show(run_id)["status"])

    def finished(self, run_id: str, timeout: float = LONGEST_SECONDS) -> JsonObject:
        """Wait for a run's end and give it."""
        return wait_for(lambda: self._if_final(run_id), timeout, what=f"the end of run {run_id}")

    def errors(self, run_id: str) -> list[JsonObject]:
        """Read all errors of a run."""
        return self._all(f"/sync-job-run/{run_id}/errors", {})

    def records(self, resource: str) -> dict[str, JSON]:
        """Read the data of all records of a resource, by id."""
        return {record["id"]: record["data"] for record in self.rows(resource)}

    def rows(self, resource: str) -> list[JsonObject]:
        """Read all records of a resource."""
        return self._all("/record", {"integrated_account_id": self.account_id, "resource": resource, "limit": 1000})

    def _if_final(self, run_id: str) -> JsonObject | None:
        run = self.show(run_id)
        return run if run["status"] in FINAL_RUN_STATUSES else None

    def _all(self, path: str, query: Mapping[str, JSON]) -> list[JsonObject]:
        page = self.api.get(path, query)
        found: list[JsonObject] = page["result"]
        while page["next_cursor"] is not None:
            page = self.api.get(path, {**query, "next_cursor": page["next_cursor"]})
            found += page["result"]
        return found


def listed(resource: str, **fields: Any) -> JsonObject:
    """Describe a resource that is listed and kept."""
    return {"resource": resource, "method": "list", "persist": True, **fields}


def child_of(parent: str, resource: str, **fields: Any) -> JsonObject:
    """Describe a resource that is listed once per object of its parent, by ``?parent=<id>``."""
    query = {"parent": "{{resources." + parent + ".id}}"}
    return listed(resource, depends_on=parent, **{"query": query, **fields})
