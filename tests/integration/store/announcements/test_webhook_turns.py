"""Deliveries of one webhook take turns over all daemons: their leases are what is counted, and they expire."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from sqlalchemy import Engine, text

from app.engine.ids import new_id
from app.engine.runs.work import Claim
from app.store.announcements.announcements import WEBHOOKS, AnnouncementStore
from app.store.announcements.webhook_turns import HEADROOM
from app.store.db.database import connect
from app.store.deliveries.deliveries import DeliveryStore
from app.store.units.units import UnitStore
from tests.support.claiming import terms
from tests.support.patience import wait_for

_RUN = """
    insert into sync_job_run (id, environment_id, sync_job_id, integrated_account_id, status, args, args_hash,
                              resources, sync_job, queue, webhook_id)
    values (:run, :environment, :run, :run, 'running', '{}', '', '[]', '{}', 'q', :webhook)
"""
_UNIT = "insert into unit (id, run_id, kind, status) values (:unit, :run, 'delivery', 'ready')"
_EVENT = "insert into delivery (id, webhook_id, event, body) values (:id, :webhook, 'test', '{}')"
_LEASES = "select count(*) from unit where status = 'leased' and lease_expires_at > now() and webhook_id = :webhook"
_IS_HELD_UP = """
    select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')
"""
_EXPIRE = "update unit set lease_expires_at = now() - interval '1 second' where id = any(cast(:ids as uuid[]))"


class Place:
    """An environment whose runs deliver to webhooks."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.units = UnitStore(engine)
        self.environment = new_id()
        self._do("insert into environment (id, name) values (:id, :name)", id=self.environment, name=new_id())

    def webhook(self) -> str:
        id = new_id()
        statement = """insert into webhook (id, environment_id, target_url, secret_encrypted)
                       values (:id, :environment, 'https://x.test', '')"""
        self._do(statement, id=id, environment=self.environment)
        return id

    def unit(self, webhook: str) -> str:
        unit, run = new_id(), new_id()
        self._do(_RUN, run=run, environment=self.environment, webhook=webhook)
        self._do(_UNIT, unit=unit, run=run)
        return unit

    def event(self, webhook: str) -> str:
        id = new_id()
        self._do(_EVENT, id=id, webhook=webhook)
        return id

    def claim(self, unit: str, most: int, units: UnitStore | None = None) -> Claim | None:
        units, wishes = units or self.units, terms(most_of_webhook=most)
        return units.claim(unit, wishes) or units.claim_in_turn(unit, wishes)

    def leases(self, webhook: str) -> int:
        with self.engine.connect() as connection:
            return int(connection.execute(text(_LEASES), {"webhook": webhook}).scalar_one())

    @property
    def is_held_up(self) -> bool:
        with self.engine.connect() as connection:
            return bool(connection.execute(text(_IS_HELD_UP)).scalar_one())

    def expire(self, *claims: Claim | None) -> None:
        self._do(_EXPIRE, ids=[claim.unit_id for claim in claims if claim])

    def _do(self, statement: str, **values: object) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement), values)


@pytest.fixture
def place(database_url: str) -> Iterator[Place]:
    engine = connect(database_url)
    yield Place(engine)
    engine.dispose()


@pytest.mark.parametrize("most", [1, HEADROOM + 4], ids=["few", "more than claims need a lock for"])
def test_many_daemons_that_claim_at_once_never_pass_the_bound(place: Place, database_url: str, most: int) -> None:
    webhook = place.webhook()
    waiting = [place.unit(webhook) for _ in range(most + 12)]
    begin = threading.Barrier(4)

    def daemon(number: int) -> list[Claim | None]:
        engine = connect(database_url, pool_size=1)
        opened.callback(engine.dispose)
        units = UnitStore(engine)
        begin.wait()
        return [place.claim(unit, most, units) for unit in waiting[number::4]]

    with ExitStack() as opened, ThreadPoolExecutor(4) as daemons:
        taken = [claim for claims in daemons.map(daemon, range(4)) for claim in claims if claim]

    assert len(taken) == place.leases(webhook) == most


def test_claim_that_was_held_up_while_others_filled_the_webhook_is_given_back(place: Place) -> None:
    webhook, most = place.webhook(), HEADROOM + 1
    slow, *others = (place.unit(webhook) for _ in range(most + 1))
    with place.engine.connect() as writer, ThreadPoolExecutor(1) as daemon:
        writer.execute(text("select id from unit where id = :id for no key update"), {"id": slow})
        held_up = daemon.submit(place.units.claim, slow, terms(most_of_webhook=most))
        wait_for(lambda: place.is_held_up, what="the claim to wait for the row")
        assert all(place.claim(unit, most, UnitStore(place.engine)) for unit in others)

        writer.rollback()

        assert held_up.result() is None
    assert place.leases(webhook) == most


def test_full_webhook_keeps_no_other_from_its_turn(place: Place) -> None:
    full, other = place.webhook(), place.webhook()
    assert [place.claim(place.unit(full), 1) is not None for _ in range(2)] == [True, False]

    claim = place.claim(place.unit(other), 1)

    assert claim is not None
    assert (claim.webhook_id, claim.is_crowded) == (other, True)


def test_lease_that_has_expired_counts_no_longer(place: Place) -> None:
    webhook = place.webhook()
    first = place.claim(place.unit(webhook), 1)
    place.expire(first)

    assert place.claim(place.unit(webhook), 1) is not None


def test_those_who_waited_for_a_daemon_that_died_are_rung_by_its_successor(place: Place) -> None:
    """The claim of the dead one was near the bound; that of its successor, with all leases gone, is far below it."""
    webhook, most = place.webhook(), HEADROOM + 4
    first = place.claim(place.unit(webhook), most)
    assert first is not None
    assert not first.is_crowded
    place.expire(first)

    again = place.claim(first.unit_id, most)

    assert again is not None
    assert (again.fencing_token, again.is_crowded) == (first.fencing_token + 1, True)


def test_those_who_wait_are_found_when_a_lease_ends_as_many_as_there_is_room_for(place: Place) -> None:
    webhook, most = place.webhook(), 3
    held = [place.claim(place.unit(webhook), most) for _ in range(most)]
    waiting = [place.unit(webhook) for _ in range(4)]
    assert [place.claim(unit, most) for unit in waiting] == [None] * 4
    assert place.units.take_next_of_webhook(webhook, most_of_webhook=most) == []

    for claim in held[:2]:
        assert claim is not None
        place.units.hand_back(claim)
    wake_ups = place.units.take_next_of_webhook(webhook, most_of_webhook=most)

    assert [dispatch.unit_id for dispatch in wake_ups] == waiting[:2]
    assert [place.claim(dispatch.unit_id, most) is not None for dispatch in wake_ups] == [True, True]


def test_unit_that_was_given_back_waits_for_nobody(place: Place) -> None:
    webhook = place.webhook()
    claim = place.claim(place.unit(webhook), 1)
    assert claim is not None

    place.units.hand_back(claim)

    assert place.units.take_next_of_webhook(webhook, most_of_webhook=1) == []


def test_unit_that_had_nothing_left_to_send_waits_for_nobody(place: Place) -> None:
    webhook = place.webhook()
    claim = place.claim(place.unit(webhook), 1)
    assert claim is not None

    assert DeliveryStore(place.engine).go_idle(claim, run_is_final=False, lease_seconds=60)
    place._do("update unit set status = 'ready' where id = :id", id=claim.unit_id)

    assert place.units.take_next_of_webhook(webhook, most_of_webhook=1) == []


def test_unit_of_a_fetch_has_no_turn_to_wait_for(place: Place) -> None:
    unit = place.unit(place.webhook())
    place._do("update unit set kind = 'fetch', status = 'done' where id = :id", id=unit)

    assert place.units.claim_in_turn(unit, terms()) is None


def test_events_of_no_run_count_beside_those_of_runs(place: Place) -> None:
    webhook = place.webhook()
    announcements = AnnouncementStore(place.engine)
    for _ in range(3):
        place.event(webhook)
    assert place.claim(place.unit(webhook), 3) is not None

    taken = announcements.take_due(limit=10, most_of_webhook=3, lease_seconds=60)

    assert len(taken) == 2
    assert place.claim(place.unit(webhook), 3) is None
    announcements.release(taken[0][1].id, wake_seconds=0)
    assert place.claim(place.unit(webhook), 3) is not None


def test_events_under_way_keep_nobody_elses_from_being_taken(place: Place) -> None:
    """They were found again at each look, so that 20 of one webhook were all that anybody ever saw."""
    hanging, other = place.webhook(), place.webhook()
    announcements = AnnouncementStore(place.engine)
    for _ in range(20):
        place.event(hanging)

    def take() -> list[str]:
        return [event.webhook_id for _, event in announcements.take_due(limit=20, most_of_webhook=20, lease_seconds=60)]

    assert take() == [hanging] * 20
    place.event(other)
    assert take() == [other]
    assert take() == []


def test_webhooks_take_turns_however_many_events_wait_for_one(place: Place) -> None:
    webhooks = [place.webhook() for _ in range(3)]
    for webhook, count in zip(webhooks, (50, 1, 2), strict=True):
        for _ in range(count):
            place.event(webhook)

    taken = AnnouncementStore(place.engine).take_due(limit=5, most_of_webhook=20, lease_seconds=60)

    counts = [sum(event.webhook_id == webhook for _, event in taken) for webhook in webhooks]
    assert counts == [2, 1, 2]


def test_no_more_webhooks_are_locked_than_can_be_taken_whoever_has_waited_longest_first(place: Place) -> None:
    """Each lock takes a place in Postgres's memory, which has room for some ten thousand: beyond, nothing was sent."""
    full, *others = (place.webhook() for _ in range(6))
    last = place.webhook()
    for webhook in (full, full, *reversed(others), last):
        place.event(webhook)
    announcements = AnnouncementStore(place.engine)
    assert len(announcements.take_due(limit=1, most_of_webhook=1, lease_seconds=60)) == 1

    with place.engine.begin() as connection:
        locked = connection.execute(WEBHOOKS, {"limit": 3, "most_of_webhook": 1}).scalars().all()

    assert sorted(map(str, locked)) == sorted(others[-3:])


def test_event_whose_leader_died_is_taken_again_when_its_lease_has_ended(place: Place) -> None:
    event = place.event(place.webhook())
    announcements = AnnouncementStore(place.engine)
    assert len(announcements.take_due(limit=5, most_of_webhook=5, lease_seconds=60)) == 1
    place._do("update delivery set wake_at = now(), lease_expires_at = now() where id = :id", id=event)

    ((environment, again),) = announcements.take_due(limit=5, most_of_webhook=5, lease_seconds=60)

    assert (environment, again.id, again.attempts) == (place.environment, event, 0)


def test_event_of_a_deleted_webhook_is_taken_without_an_environment(place: Place) -> None:
    event = place.event(new_id())

    ((environment, taken),) = AnnouncementStore(place.engine).take_due(limit=5, most_of_webhook=5, lease_seconds=60)

    assert (environment, taken.id) == (None, event)


def test_unit_that_a_page_is_being_written_for_holds_up_no_other_of_its_webhook(place: Place) -> None:
    webhook = place.webhook()
    written, other = place.unit(webhook), place.unit(webhook)
    with place.engine.begin() as writer:
        writer.execute(text("select id from unit where id = :id for no key update"), {"id": written})

        assert place.units.claim_in_turn(written, terms()) is None
        assert place.units.claim_in_turn(other, terms()) is not None

    assert place.units.claim_in_turn(written, terms()) is not None
