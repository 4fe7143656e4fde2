"""Events of no run: a trigger that made none, an account that is connected again, a direct call that was refused."""

from sqlalchemy import text

from app.bootstrap.api import build_api_services
from app.bootstrap.daemon import build_daemon_services
from app.engine.ids import new_id
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters
from app.engine.webhooks import events
from app.store.accounts.credentials import CredentialStore
from app.store.catalog.tokens import TokenStore
from app.store.secrets.encryption import Cipher
from app.store.secrets.encryption_keys import KeyStore
from tests.support.patience import wait_for
from tests.support.pump import World, sweep
from tests.support.pump_database import PumpDatabase
from tests.support.pump_jobs import JOBS, MemoryReceiver


class Place:
    """An environment with an account, a webhook that wants every event, and a daemon that leads."""

    def __init__(self, database: PumpDatabase) -> None:
        self.world = World(database, JOBS[0])
        self.engine = database.engine
        self.services = build_api_services(self.world.settings, self.world.outside(self.engine))
        self.environment: EnvironmentId = TokenStore(self.engine).ensure_environment(new_id())
        config = {"base_url": "http://memory.invalid"}
        self.services.integrations.create(self.environment, {"name": "acme", "config": config})
        account = {"integration_name": "acme", "tenant_id": "t", "context": {"api_key": "old"}}
        self.account = self.services.accounts.create(self.environment, account)
        self.webhook = self.services.webhooks.create(self.environment, {"target_url": "http://memory.invalid"})
        elsewhere = {"target_url": "http://memory.invalid", "event_types": ["sync_job_run:record"]}
        self.services.webhooks.create(self.environment, elsewhere)

    def told(self, name: str) -> list[dict[str, object]]:
        taken = dict(self.world.receiver.taken).values()
        return [body["payload"] for body in taken if (body["event"], body["webhook_id"]) == (name, self.webhook.id)]

    def sweep_until_told(self, name: str) -> dict[str, object]:
        daemon = build_daemon_services(self.world.settings, self.world.outside(self.engine))
        try:
            wait_for(daemon.leadership.is_held, what="the lead")

            def look() -> bool:
                sweep(daemon)
                return bool(self.told(name)) and self.statuses(name) == ["delivered"]

            wait_for(look, what=name)
        finally:
            daemon.leadership.resign()
        (payload,) = self.told(name)
        return payload

    def statuses(self, name: str) -> list[str]:
        page = self.services.deliveries.list(self.environment, self.webhook.id, ListFilters(equal={"event": name}))
        assert {delivery.sync_job_run_id for delivery in page.result} <= {None}
        return [delivery.status for delivery in page.result]

    def refuse(self) -> bool:
        store = CredentialStore(self.engine, Cipher(self.world.settings.encryption_key, KeyStore(self.engine)))

        def announce(account: object, to: object) -> list[events.EventDraft]:
            return events.draft_authentication_error(account, "401", to=to, at=self.account.created_at)  # type: ignore[arg-type]

        return store.refuse(self.account.id, token=None, reason="401", announce=announce)


def test_trigger_that_makes_no_run_tells_who_wants_to_know(pump_database: PumpDatabase) -> None:
    place = Place(pump_database)
    resources = [{"resource": "users", "method": "list"}]
    job = place.services.jobs.create(place.environment, {"integration_name": "acme", "resources": resources})
    fields = {"sync_job_id": job.id, "integrated_account_id": place.account.id, "cron_expression": "0 0 1 1 *"}
    trigger = place.services.triggers.create(place.environment, {**fields, "enabled": True})
    place.services.jobs.delete(place.environment, job.id)
    with place.engine.begin() as connection:
        due = "update sync_job_cron_trigger set next_run_at = now() - interval '1 s' where id = :id"
        connection.execute(text(due), {"id": trigger.id})

    payload = place.sweep_until_told(events.TRIGGER_FAILED)

    assert (payload["id"], payload["sync_job_id"]) == (trigger.id, job.id)
    assert "does not exist" in str(payload["error"])
    assert place.services.triggers.get(place.environment, trigger.id).last_run is not None


def test_account_that_gets_new_credentials_is_told_as_reactivated_once(pump_database: PumpDatabase) -> None:
    place = Place(pump_database)
    assert place.refuse()

    for key in ("new", "newer"):
        place.services.accounts.update(place.environment, place.account.id, {"context": {"api_key": key}})
    payload = place.sweep_until_told(events.REACTIVATED)

    assert (payload["id"], payload["status"], payload["last_error"]) == (place.account.id, "active", None)
    assert "context" not in payload


def test_direct_call_that_is_refused_tells_so_without_a_run(pump_database: PumpDatabase) -> None:
    place = Place(pump_database)

    place.refuse()

    assert place.sweep_until_told(events.AUTHENTICATION_ERROR)["last_error"] == "401"


def test_event_that_is_refused_waits_and_may_be_sent_at_once_by_hand(pump_database: PumpDatabase) -> None:
    place = Place(pump_database)
    place.world.receiver = MemoryReceiver(refuse_each=1)
    daemon = build_daemon_services(place.world.settings, place.world.outside(place.engine))
    place.refuse()
    wait_for(daemon.leadership.is_held, what="the lead")

    def was_refused() -> bool:
        sweep(daemon)
        with place.engine.connect() as connection:
            waiting = "select attempts from delivery where run_id is null and webhook_id = :id and wake_at is not null"
            return bool(connection.execute(text(waiting), {"id": place.webhook.id}).scalar())

    wait_for(was_refused, what="the refusal")
    daemon.leadership.resign()
    with place.engine.begin() as connection:
        connection.execute(text("update delivery set wake_at = now() + interval '1 hour' where wake_at is not null"))
    place.world.receiver = MemoryReceiver()
    page = place.services.deliveries.list(place.environment, place.webhook.id, ListFilters())
    place.services.deliveries.retry(place.environment, place.webhook.id, page.result[0].id)

    assert place.sweep_until_told(events.AUTHENTICATION_ERROR)["last_error"] == "401"
