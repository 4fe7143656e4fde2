"""Receivers that never answer hold up nobody: not the thread that has sent to them, nor another's run or event."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Pool, event, text

from app.bootstrap.api import build_api_services
from app.bootstrap.daemon import DaemonServices, build_daemon_services
from app.engine.errors import DeliveryError
from app.engine.ids import new_id
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters
from app.engine.objects.webhooks import Webhook
from app.services.runs.requests import RunRequest
from app.store.catalog.tokens import TokenStore
from tests.support.patience import wait_for
from tests.support.pump import World, handle, sweep
from tests.support.pump_database import PumpDatabase
from tests.support.pump_jobs import JOBS, MemoryReceiver

JOB = next(job for job in JOBS if job.name == "pair-to-webhook")
SILENT = "http://silent.invalid"
MOST = 5


class HalfSilentReceiver(MemoryReceiver):
    """Answers nothing that is sent to one address until it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[Future[int]] = []

    @property
    def under_way(self) -> int:
        return sum(not future.done() for future in self.held)

    def submit(self, webhook: Webhook, event_id: str, body: bytes) -> "Future[int]":
        if webhook.target_url != SILENT:
            return super().submit(webhook, event_id, body)
        self.held.append(Future())
        return self.held[-1]


class Place:
    """Two daemons, and customers with runs to webhooks of theirs."""

    def __init__(self, database: PumpDatabase, **limits: float) -> None:
        self.receiver = HalfSilentReceiver()
        limits = {"deliveries_per_webhook": MOST, **limits}
        self.world = World(database, JOB, receiver=self.receiver, limits=limits)
        self.engine = database.engine
        self.database = database
        outside = self.world.outside(self.engine)
        self.services = build_api_services(self.world.settings, outside)
        self.daemons = [build_daemon_services(self.world.settings, outside) for _ in range(2)]

    def close(self) -> None:
        for future in self.receiver.held:
            future.cancel()
        for daemon in self.daemons:
            assert daemon.delivery_pool.join(30)
            daemon.leadership.resign()

    def customer(self) -> EnvironmentId:
        environment: EnvironmentId = TokenStore(self.engine).ensure_environment(new_id())
        self.services.integrations.create(environment, {"name": "acme", "config": {"base_url": "http://m.invalid"}})
        return environment

    def webhook(self, environment: EnvironmentId, target_url: str, **fields: Any) -> Webhook:
        return self.services.webhooks.create(environment, {"target_url": target_url, **fields})

    def post(self, environment: EnvironmentId, webhook: Webhook) -> str:
        account = {"integration_name": "acme", "tenant_id": new_id()}
        job = {"integration_name": "acme", "resources": list(JOB.resources)}
        request = RunRequest(
            sync_job_id=self.services.jobs.create(environment, job).id,
            integrated_account_id=self.services.accounts.create(environment, account).id,
            webhook_id=webhook.id,
        )
        return self.services.runs.create(environment, request)[0].id

    def pump(self) -> None:
        """Have the daemons handle all messages, in turn."""
        handled = 0
        while message := self.world.mailbox.take():
            handle(self.daemons[handled % 2], self.world.mailbox, message)
            handled += 1

    def leader(self) -> DaemonServices:
        wait_for(self.daemons[0].leadership.is_held, what="the lead")
        return self.daemons[0]

    def statuses(self, environment: EnvironmentId, webhook: Webhook) -> list[str]:
        page = self.services.deliveries.list(environment, webhook.id, ListFilters())
        return [delivery.status for delivery in page.result]

    def count(self, sql: str, **values: object) -> int:
        with self.engine.connect() as connection:
            return int(connection.execute(text(sql), values).scalar_one())


@pytest.fixture
def place(pump_database: PumpDatabase) -> Iterator[Place]:
    with closing(Place(pump_database)) as made:
        yield made


def test_runs_to_a_silent_receiver_hold_up_no_strangers(place: Place) -> None:
    """Each held a thread: with as many of them as there are threads, nobody else's run went on."""
    busy, stranger = place.customer(), place.customer()
    silent = place.webhook(busy, SILENT)
    hanging = [place.post(busy, silent) for _ in range(4 * MOST)]
    own_other = place.post(busy, place.webhook(busy, "http://own.invalid"))
    strangers = place.post(stranger, place.webhook(stranger, "http://stranger.invalid"))

    place.pump()

    assert [place.database.outcome(id).run["status"] for id in (own_other, strangers)] == ["completed"] * 2
    assert {place.database.outcome(id).run["status"] for id in hanging} == {"running"}
    assert place.receiver.under_way == MOST


def test_runs_that_wait_for_a_webhook_go_on_as_others_of_it_end(place: Place) -> None:
    busy = place.customer()
    silent = place.webhook(busy, SILENT)
    runs = [place.post(busy, silent) for _ in range(3 * MOST)]
    place.pump()
    most = place.receiver.under_way

    while place.receiver.under_way or place.world.mailbox.waiting:
        for future in [future for future in place.receiver.held if not future.done()]:
            future.set_result(200)
        for daemon in place.daemons:
            wait_for(lambda: place.receiver.under_way or daemon.delivery_pool.join(0), what="the answers to be taken")  # noqa: B023
        place.pump()
        most = max(most, place.receiver.under_way)

    assert {place.database.outcome(id).run["status"] for id in runs} == {"completed"}
    assert most == MOST
    for id in runs:
        assert place.database.is_over(id)


def test_event_loop_that_has_an_answer_asks_postgres_nothing(place: Place) -> None:
    """It waits for all receivers of the process: a database that is slow would keep all of them waiting."""
    busy = place.customer()
    run_id = place.post(busy, place.webhook(busy, SILENT))
    askers = set[str]()
    listener = (Pool, "checkout", lambda *_: askers.add(threading.current_thread().name))
    event.listen(*listener)

    try:
        place.pump()
        while place.receiver.under_way:
            answer = partial(place.receiver.held[-1].set_result, 200)
            loop = threading.Thread(target=answer, name="the event loop")
            loop.start()
            loop.join()
            wait_for(lambda: place.receiver.under_way or all(d.delivery_pool.join(0) for d in place.daemons))
            place.pump()
    finally:
        event.remove(*listener)

    assert place.database.outcome(run_id).run["status"] == "completed"
    assert any(name.startswith("ferryman-deliveries") for name in askers)
    assert "the event loop" not in askers


def test_daemon_that_dies_with_deliveries_under_way_leaves_them_to_others(place: Place) -> None:
    """Nobody but their leases keeps others from going on: no count is left too high."""
    busy = place.customer()
    silent = place.webhook(busy, SILENT)
    runs = [place.post(busy, silent) for _ in range(MOST)]
    place.pump()
    assert place.receiver.under_way == MOST

    # Who is dead prolongs no lease, however long the next lines take.
    for daemon in place.daemons:
        daemon.worker._keeper._kept.clear()
    for id in runs:
        place.database.pass_time(id)
    wake_ups = place.count("select count(*) from unit where status = 'leased' and lease_expires_at < now()")
    sweep(place.leader())
    place.pump()

    assert wake_ups >= MOST
    assert place.receiver.under_way == 2 * MOST
    assert place.count("select count(*) from unit where status = 'leased' and lease_expires_at > now()") == MOST


def test_stopped_run_waits_for_its_receiver_no_longer(place: Place) -> None:
    busy = place.customer()
    run_id = place.post(busy, place.webhook(busy, SILENT))
    place.pump()
    (future,) = place.receiver.held

    place.services.runs.stop(busy, run_id)

    wait_for(future.cancelled, what="the delivery to be given up")


def test_twenty_events_of_a_silent_receiver_hold_up_nobody_elses(place: Place) -> None:
    busy, stranger = place.customer(), place.customer()
    silent = place.webhook(busy, SILENT, event_types=["sync_job_run:completed"])
    other = place.webhook(stranger, "http://stranger.invalid", event_types=["sync_job_run:completed"])
    _announce(place, silent, 20)
    sweep(place.leader())
    assert place.receiver.under_way == MOST

    _announce(place, other, 1)

    def is_delivered() -> bool:
        sweep(place.leader())
        return place.statuses(stranger, other) == ["delivered"]

    wait_for(is_delivered, what="the stranger's event")
    assert place.receiver.under_way == MOST
    assert set(place.statuses(busy, silent)) == {"pending"}


@pytest.mark.parametrize(
    ("status", "patience", "failures", "is_disabled"),
    [(410, 1e6, 1, True), (503, 1e-6, 2, True), (503, 1e6, 2, False)],
    ids=["is gone", "has failed for too long", "fails"],
)
def test_webhook_that_gets_events_of_no_run_only_is_disabled_when(
    pump_database: PumpDatabase, status: int, patience: float, failures: int, is_disabled: bool
) -> None:
    with closing(Place(pump_database, webhook_disable_after_seconds=patience)) as place:
        _fail(place, status, times=failures, is_disabled=is_disabled)


def _fail(place: Place, status: int, *, times: int, is_disabled: bool) -> None:
    busy = place.customer()
    failing = place.webhook(busy, SILENT, event_types=["sync_job_run:completed"])
    told = place.webhook(busy, "http://told.invalid", event_types=["webhook:disabled"])
    _announce(place, failing, 1)

    for attempt in range(times):
        wait_for(lambda count=attempt: sweep(place.leader()) or len(place.receiver.held) > count, what="an attempt")  # type: ignore[misc]
        place.receiver.held[attempt].set_exception(DeliveryError(f"answered {status}", status=status))
        assert place.daemons[0].delivery_pool.join(30)

    found = place.services.webhooks.get(busy, failing.id)
    assert (found.is_active, found.disabled_reason) == (not is_disabled, f"answered {status}" if is_disabled else None)
    assert found.failing_since is not None

    def others_are_told() -> bool:
        sweep(place.leader())
        return place.statuses(busy, told) == ["delivered"] * is_disabled

    wait_for(others_are_told, what="the event of the webhook's end")
    assert place.statuses(busy, failing) == ["pending"]


def test_events_that_wait_for_a_deleted_webhook_are_given_up_and_nobody_elses(place: Place) -> None:
    """Each sweep broke at them, and with it all that leaders do."""
    busy = place.customer()
    gone = place.webhook(busy, "http://gone.invalid", event_types=["sync_job_run:completed"])
    other = place.webhook(busy, "http://other.invalid", event_types=["sync_job_run:completed"])
    _announce(place, gone, 1)
    _announce(place, other, 1)
    place.services.webhooks.delete(busy, gone.id)

    def is_delivered() -> bool:
        sweep(place.leader())
        return place.statuses(busy, other) == ["delivered"]

    wait_for(is_delivered, what="the other webhook's event")
    given_up = "select count(*) from delivery where webhook_id = :id and status = 'dead_lettered'"
    assert place.count(given_up, id=gone.id) == 1


def _announce(place: Place, webhook: Webhook, count: int) -> None:
    insert = text("""
        insert into delivery (id, webhook_id, event, body)
        values (:id, :webhook_id, 'sync_job_run:completed', convert_to(:body, 'UTF8'))
    """)
    with place.engine.begin() as connection:
        for _ in range(count):
            values = {"id": new_id(), "webhook_id": webhook.id, "body": '{"event": "x", "payload": {}}'}
            connection.execute(insert, values)
