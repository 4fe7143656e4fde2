"""One account for which a job runs again and again, while its API, its config and its resources change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import text

from app.api.resources.services import ApiServices
from app.bootstrap.api import build_api_services
from app.engine.ids import new_id
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.environments import EnvironmentId
from app.services.runs.requests import RunRequest
from app.store.catalog.tokens import TokenStore
from tests.support.pump import Pump, World
from tests.support.pump_database import Outcome, PumpDatabase
from tests.support.pump_jobs import Job, MemoryApi, MemoryReceiver

Lists = Mapping[str, Mapping[str | None, Sequence[JsonObject]]]

BASE: JsonObject = {"base_url": "http://memory.invalid"}


@dataclass
class Customer:
    """An integration with one account, a job, and perhaps a webhook that is told of changes only."""

    database: PumpDatabase
    resources: Sequence[JsonObject]
    config: JsonObject = field(default_factory=dict)
    to_webhook: bool = False
    webhook: Mapping[str, Any] = field(default_factory=lambda: {"changes_only": True})
    limits: dict[str, Any] = field(default_factory=dict)
    """Settings."""

    def __post_init__(self) -> None:
        job = Job(name="customer", resources=self.resources, api={}, to_webhook=self.to_webhook)
        self.world = World(self.database, job, limits=self.limits)
        self.environment: EnvironmentId = TokenStore(self.database.engine).ensure_environment(new_id())
        services = self.services()
        integration = services.integrations.create(
            self.environment, {"name": "acme", "config": {**BASE, **self.config}}
        )
        self.integration_id = integration.id
        self.account = services.accounts.create(self.environment, {"integration_name": "acme", "tenant_id": "t"}).id
        self.webhook_id = None
        if self.to_webhook:
            target = {"target_url": "http://memory.invalid", **self.webhook}
            self.webhook_id = services.webhooks.create(self.environment, target).id
        self.job_id = self.new_job(self.resources)
        self.run_id = ""

    def services(self) -> ApiServices:
        return build_api_services(self.world.settings, self.world.outside(self.database.engine))

    def new_job(self, resources: Sequence[JsonObject]) -> str:
        asked = {"integration_name": "acme", "resources": list(resources)}
        return self.services().jobs.create(self.environment, asked).id

    def know_by(self, id_path: JSON, resource: str = "lines") -> Sequence[JsonObject]:
        """Change a list's id_path; give the warnings of that."""
        change = {"config": {"resources": {resource: {"list": {"id_path": id_path}}}}}
        services = self.services()
        finish = services.key_changes.watch_integration(self.environment, self.integration_id)
        services.integrations.update(self.environment, self.integration_id, change)
        return finish()

    def post(self, api: Lists, *, job_id: str | None = None, **request: Any) -> str:
        """Create a run that will find these lists, before a receiver of its own."""
        self.world.receiver = MemoryReceiver()
        self.world.api = MemoryApi(replace(self.world.job, api=api))
        asked = RunRequest(
            sync_job_id=job_id or self.job_id,
            integrated_account_id=self.account,
            webhook_id=self.webhook_id,
            **request,
        )
        return self.services().runs.create(self.environment, asked)[0].id

    def run(self, api: Lists, *, kill: Mapping[str, int] | None = None, **request: Any) -> Outcome:
        """Carry out such a run; give what it came to."""
        return self.pump(self.post(api, **request), kill=kill)

    def pump(self, run_id: str, *, kill: Mapping[str, int] | None = None) -> Outcome:
        """Carry out a run that was posted."""
        self.run_id = run_id
        with Pump(self.world, **(kill or {})) as pump:
            outcome = pump.run(self.run_id)
        verified = self.services().runs.verify(self.environment, self.run_id)
        assert verified.is_balanced, verified.checks
        return outcome

    def warnings(self) -> dict[str, int]:
        """Count the last run's warnings by code."""
        return {code: warning["count"] for code, warning in self.shown_warnings().items()}

    def shown_warnings(self) -> dict[str, JsonObject]:
        rows = self.rows("select warnings from run_resource where run_id = :run_id")
        return {code: warning for row in rows for code, warning in row["warnings"].items()}

    def tombstones(self, resource: str = "lines") -> set[str]:
        rows = self.rows(
            "select remote_id from record where integrated_account_id = :account and resource = :resource "
            "and deleted_at is not null",
            resource=resource,
        )
        return {row["remote_id"] for row in rows}

    def rows(self, sql: str, **values: object) -> list[JsonObject]:
        known = {"run_id": self.run_id, "account": self.account, **values}
        with self.database.engine.connect() as connection:
            bound = {name: value for name, value in known.items() if f":{name}" in sql}
            return [dict(row) for row in connection.execute(text(sql), bound).mappings()]

    def told(self) -> dict[str, str]:
        """List what the receiver was last told of each record: its id, and the change."""
        found: dict[str, str] = {}
        for body in dict(self.world.receiver.taken).values():
            if body["event"] == "sync_job_run:record":
                batch = body["payload"]
                ids = batch["meta"].get("ids") or [record["id"] for record in batch["records"]]
                found |= {id: batch["meta"].get("change", "sent") for id in ids}
        return found
