"""An environment whose records land at destinations, driven in this process: messages are values here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text

from app.bootstrap.api import build_api_services
from app.bootstrap.daemon import build_daemon_services
from app.bootstrap.destinations import build_destination_dispatcher, build_destination_erasing
from app.bootstrap.shared import Outside, Shared
from app.broker import tasks
from app.engine.ids import new_id
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters
from app.engine.records.rows import encode
from app.services.maintenance.duties import start_here
from app.services.maintenance.duty_rows import Pace
from app.services.maintenance.erasure import ErasureDuty
from app.settings import Settings
from app.store.catalog.tokens import TokenStore
from app.store.db.database import connect
from app.store.maintenance.erasures import ErasureStore
from tests.support.pump import _KEY, Mailbox

_WRITE = """
    with log as (
        insert into account_log (integrated_account_id, last_sequence) values (:account, :count)
            on conflict (integrated_account_id) do update
           set last_sequence = account_log.last_sequence + excluded.last_sequence
     returning last_sequence - :count as before)
    insert into record (integrated_account_id, resource, remote_id, data, content_hash, sync_job_run_id, sequence,
                        deleted_at)
    select :account, :resource, r.remote_id, r.data, '', :account, log.before + r.number,
           case when :is_deleted then now() end
      from log, jsonb_to_recordset(cast(:records as jsonb)) as r (number int, remote_id text, data jsonb)
        on conflict (integrated_account_id, resource, remote_id) do update
       set data = excluded.data, sequence = excluded.sequence, deleted_at = excluded.deleted_at, updated_at = now()
"""


@dataclass
class Landing:
    """One environment with accounts, and a daemon that writes when it is told to."""

    url: str
    settings_of: Mapping[str, Any] = field(default_factory=dict)

    everything: ListFilters = field(default_factory=ListFilters)

    def __post_init__(self) -> None:
        self.engine = connect(self.url, pool_size=4)
        self.mailbox = Mailbox()
        self.settings = Settings(
            database_url=self.url,
            broker_url="memory://",
            encryption_key=_KEY,
            allowed_networks="127.0.0.0/8,::1/128",
            **{"erase_after": 0.0, "destination_slices": 20, **self.settings_of},  # type: ignore[arg-type]  # by name
        )
        outside = Outside(engine=self.engine, dispatcher=self.mailbox, start_duty=start_here)
        self.api = build_api_services(self.settings, outside)
        self.shared = Shared(self.settings, outside)
        self.daemon = build_daemon_services(self.settings, outside)
        self.environment: EnvironmentId = TokenStore(self.engine).ensure_environment(new_id())
        self.integration("acme")

    @classmethod
    def beside(cls, other: "Landing") -> "Landing":
        """Make another daemon of the same Ferryman."""
        made = cls(other.url, other.settings_of)
        made.environment = other.environment
        return made

    def erase(self, account: str, resource: str | None) -> None:
        """Delete an account, or the records of one of its resources, and erase what is due."""
        if resource is None:
            self.api.account_deletion.delete(self.environment, account)
        else:
            self.api.reading.records.erase(self.environment, account, resource)
        erasing = build_destination_erasing(self.shared).erase
        stop = self.daemon.lifecycle.stop
        pace = Pace(pause=lambda _: None)
        duty = ErasureDuty(ErasureStore(self.engine), stop, pace, erase_at_destinations=erasing)
        while duty.run_turn():
            pass

    def close(self) -> None:
        self.daemon.leadership.resign()
        self.engine.dispose()

    def integration(self, name: str) -> None:
        config = {"base_url": "http://memory.invalid"}
        self.api.integrations.create(self.environment, {"name": name, "config": config})

    def account(self, tenant: str = "t", integration: str = "acme") -> str:
        body = {"integration_name": integration, "tenant_id": tenant}
        return self.api.accounts.create(self.environment, body).id

    def datastore(self, config: JsonObject, type: str = "postgres") -> str:
        return self.api.landing.datastores.create(self.environment, {"type": type, "config": config}).id

    def destination(self, config: JsonObject, **fields: Any) -> str:
        body = {"datastore_id": self.datastore(config), **fields}
        return self.api.landing.destinations.create(self.environment, body).destination.id

    def write(
        self, account: str, records: Mapping[str, JSON], *, resource: str = "tickets", deleted: bool = False
    ) -> None:
        """Change records as a page does: numbered in the account's log, in one transaction."""
        rows = [{"number": n, "remote_id": id, "data": data} for n, (id, data) in enumerate(records.items(), start=1)]
        values = {"account": account, "resource": resource, "count": len(rows), "is_deleted": deleted}
        with self.engine.begin() as connection:
            connection.execute(text(_WRITE), {**values, "records": encode(rows).decode()})

    def land(self, rounds: int = 20, *, may_fail: bool = False) -> None:
        """Do what the leader and daemons do until nothing is due."""
        self._work(rounds)
        failed = self.rows("select error_code, last_error from destination_cursor where last_error is not null")
        assert may_fail or not failed, failed

    def _work(self, rounds: int) -> None:
        for _ in range(rounds):
            self.dispatch()
            messages = self.take()
            for destination_id, account_id in messages:
                self.daemon.destination_worker.work(destination_id, account_id)
            if not messages:
                return
        raise AssertionError("destinations come to no end")

    def dispatch(self) -> None:
        """Do the leader's duty, with all messages of before lost."""
        with self.engine.begin() as connection:
            connection.execute(text("update destination_cursor set rung_at = null"))
        self.mailbox.waiting.clear()
        build_destination_dispatcher(self.shared, self.settings).dispatch_due()

    def take(self) -> list[tuple[str, str]]:
        """Take the messages that wait."""
        taken = [(m.args[0], m.args[1]) for m in self.mailbox.waiting if m.task == tasks.WRITE_DESTINATION]
        self.mailbox.waiting.clear()
        return taken

    def pass_time(self) -> None:
        """Let all pauses and leases be over."""
        with self.engine.begin() as connection:
            connection.execute(text("update destination_cursor set due_at = now() where due_at > now()"))
            past = "update destination_cursor set lease_until = now() - interval '1 s' where lease_until is not null"
            connection.execute(text(past))

    def verify(self, destination_id: str) -> Any:
        return self.api.landing.verification.verify(self.environment, destination_id)

    def cursors(self, destination_id: str) -> Sequence[Any]:
        return self.api.landing.destinations.list_cursors(
            self.environment, destination_id, cursor=None, limit=1000
        ).result

    def rows(self, statement: str, **values: object) -> list[JsonObject]:
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(text(statement), values).mappings()]
