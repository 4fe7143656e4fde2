"""An environment that people are told of: a test says when the leader looks, and the receivers are real."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import insert, text

from app.bootstrap.api import build_api_services
from app.bootstrap.destinations import build_destination_erasing
from app.bootstrap.notifications import build_notification_sending, build_watching
from app.bootstrap.shared import Outside, Shared
from app.engine.ids import new_id
from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.notifications import NotificationDestination, NotificationRule
from app.services.maintenance.duties import Start, start_here
from app.services.maintenance.duty_rows import Pace
from app.services.maintenance.erasure import ErasureDuty
from app.settings import Settings
from app.store import tables
from app.store.catalog.tokens import TokenStore
from app.store.db.database import connect
from app.store.maintenance.erasures import ErasureStore
from tests.support.http_server import HttpServer, Request, Response
from tests.support.pump import _KEY, Mailbox

SLACK_SECRET = "T000/B000/the-path-that-nobody-sees"


class Slack:
    """Takes what Slack's incoming webhooks take, and answers as they do, or as a test says."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answer = Response(body=b"ok")
        self._server = HttpServer(self._receive)
        self.url = f"{self._server.url}/services/{SLACK_SECRET}"

    @property
    def texts(self) -> list[str]:
        return [json.loads(request.body)["text"] for request in self.requests]

    def close(self) -> None:
        self._server.close()

    def _receive(self, request: Request) -> Response:
        assert request.headers["content-type"] == "application/json"
        self.requests.append(request)
        return self.answer


@dataclass
class NotifiedPlace:
    """One environment with an integration and a job."""

    url: str
    settings_of: Mapping[str, Any] = field(default_factory=dict)
    start: Start = start_here

    def __post_init__(self) -> None:
        self.engine = connect(self.url, pool_size=4)
        settings = {
            "database_url": self.url,
            "broker_url": "memory://",
            "encryption_key": _KEY,
            "allowed_networks": "127.0.0.0/8,::1/128",
            "public_url": "https://ferryman.example.com/base",
            "delivery_timeout_seconds": 5.0,
            **self.settings_of,
        }
        self.settings = Settings(**settings)
        outside = Outside(engine=self.engine, dispatcher=Mailbox(), start_duty=self.start)
        self.api = build_api_services(self.settings, outside)
        self.shared = Shared(self.settings, outside)
        self.watching = build_watching(self.shared, self.settings)
        self.sending = build_notification_sending(self.shared, outside, self.settings)
        self.environment: EnvironmentId = TokenStore(self.engine).ensure_environment(new_id())
        self.api.integrations.create(self.environment, {"name": "acme", "config": {"base_url": "http://acme.invalid"}})
        self.job = self.new_job("tickets")

    def close(self) -> None:
        with self.engine.begin() as connection:
            # A later test's leader is to find nothing of this one.
            connection.execute(text("delete from notification_destination"))
        self.shared.notifier.close()
        self.api.close()

    def new_job(self, resource: str) -> str:
        resources = [{"resource": resource, "method": "list"}]
        return self.api.jobs.create(self.environment, {"integration_name": "acme", "resources": resources}).id

    def new_account(self, tenant: str = "t") -> str:
        body = {"integration_name": "acme", "tenant_id": tenant, "context": {"api_key": "k"}}
        return self.api.accounts.create(self.environment, body).id

    def destination(self, kind: str, config: JsonObject, **fields: Any) -> NotificationDestination:
        return self.api.notifications.destinations.create(self.environment, {"type": kind, "config": config, **fields})

    def slack(self, slack: Slack, **fields: Any) -> str:
        config = {"webhook_url": slack.url, **fields.pop("config", {})}
        return self.destination("slack", config, **fields).id

    def rule(
        self, destination_id: str, event: str, config: JsonObject | None = None, **fields: Any
    ) -> NotificationRule:
        body = {"notification_destination_id": destination_id, "event": event, "config": config or {}, **fields}
        return self.api.notifications.rules.create(self.environment, body)

    def look(self) -> None:
        """Have the leader watch, and send what is due."""
        while self.watching.watch():
            pass
        attempts = -1
        # One of a destination at a time.
        while attempts != (attempts := self._count_attempts()):
            self.sending.send_due()

    def _count_attempts(self) -> int:
        return int(self.rows("select coalesce(sum(attempts), 0) as n from notification")[0]["n"])

    def pass_time(self, seconds: float) -> None:
        """Let time pass for all that was noted, but for runs and records."""
        for table, columns in {
            "notification": ("created_at", "sent_at", "due_at", "lease_expires_at"),
            "incident": ("opened_at", "last_seen_at", "notified_at", "reminded_at"),
        }.items():
            changes = ", ".join(f"{column} = {column} - make_interval(secs => :seconds)" for column in columns)
            self.execute(f"update {table} set {changes}", seconds=seconds)

    def execute(self, statement: str, **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement), values)

    def erase(self, account: str) -> None:
        """Delete an account, and erase all that is held of it now."""
        self.api.account_deletion.delete(self.environment, account)
        self.execute("update erasure set due_at = now() where integrated_account_id = :id", id=account)
        duty = ErasureDuty(
            ErasureStore(self.engine),
            self.shared.lifecycle.stop,
            Pace(pause=lambda _: None),
            erase_at_destinations=build_destination_erasing(self.shared).erase,
        )
        while duty.run_turn():
            pass

    def rows(self, statement: str, **values: Any) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(text(statement), values).mappings().all())

    def run(
        self, account: str, status: str, *, job: str | None = None, ago: float = 0.0, error: JsonObject | None = None,
        resources: Mapping[str, JsonObject] | None = None, **values: Any,
    ) -> str:  # fmt: skip
        """Write a run as it would be, so many seconds ago."""
        at = text(f"now() - make_interval(secs => {ago})")
        is_over = status in ("completed", "failed", "stopped")
        row = {
            **{"id": new_id(), "environment_id": self.environment, "sync_job_id": job or self.job},
            **{"integrated_account_id": account, "status": status, "args": {}, "args_hash": b"", "resources": []},
            **{"sync_job": {}, "queue": "q", "created_at": at, "started_at": at, "updated_at": at},
            **{"finished_at": at if is_over else None, "error": error},
            **values,
        }
        with self.engine.begin() as connection:
            connection.execute(insert(tables.sync_job_run).values(row))
            for name, counters in (resources or {}).items():
                shape = {"position": 0, "name": name, "resource": name, "method": "list", "persist": True}
                ended = {"status": "completed", "finished_at": at} if is_over else {"status": "running"}
                connection.execute(
                    insert(tables.run_resource).values(id=new_id(), run_id=row["id"], **{**shape, **ended, **counters})
                )
        return str(row["id"])

    def fail(
        self, account: str, code: str = "unauthorized", message: str = "the upstream said no", **values: Any
    ) -> str:
        error = {"code": code, "message": message, "resource": "tickets", "at": "2026-01-01T00:00:00.000Z"}
        return self.run(account, "failed", error=error, **values)
