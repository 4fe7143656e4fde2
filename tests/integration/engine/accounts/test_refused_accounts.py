"""An account whose credentials are refused is marked once, and the environment's webhooks are told by the run.

One that is put to rest is asked for nothing, and its runs go on where they were when it is woken.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from app.bootstrap.api import build_api_services
from app.bootstrap.shared import SystemClock
from app.engine.accounts.oauth import TokenRequest
from app.engine.ids import new_id
from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters
from app.engine.webhooks import events
from app.engine.webhooks.events import REACTIVATED
from app.services.accounts.credentials import CredentialService
from app.store.accounts.credentials import CredentialStore
from app.store.secrets.encryption import Cipher
from app.store.secrets.encryption_keys import KeyStore
from tests.support.pump import Pump, World, handle
from tests.support.pump_database import PumpDatabase
from tests.support.pump_jobs import JOBS

ANNOUNCED = events.AUTHENTICATION_ERROR


class _Nobody:
    def request_token(self, request: TokenRequest) -> JsonObject:
        raise AssertionError("no token is asked for")


class Place:
    """A world with one run, and further webhooks in its environment."""

    def __init__(self, database: PumpDatabase, job: str) -> None:
        self.world = World(database, next(one for one in JOBS if one.name == job))
        self.run_id = self.world.post()
        self.services = build_api_services(self.world.settings, self.world.outside(database.engine))
        row = self._run_row()
        self.environment, self.account_id = EnvironmentId(str(row.environment_id)), str(row.integrated_account_id)
        self.store = CredentialStore(
            database.engine, Cipher(self.world.settings.encryption_key, KeyStore(database.engine))
        )

    def subscribe(self, event_types: Sequence[str] | None) -> str:
        fields = {"target_url": "http://memory.invalid", "event_types": event_types and list(event_types)}
        return self.services.webhooks.create(self.environment, fields).id

    @property
    def service(self) -> CredentialService:
        return CredentialService(
            store=self.store, ask_for_token=_Nobody().request_token, clock=SystemClock(), pause=print
        )

    def refuse(self, *, run_id: str = "", token: str | None = None, call: str = "users.list") -> None:
        asked = run_id or self.run_id
        self.service.refuse(self.account_id, token=token, reason="answered 401", run_id=asked, call=call)

    def accept(self, *, token: str | None = None, call: str = "users.list") -> bool:
        return self.service.accept(self.account_id, token=token, call=call)

    def status(self) -> str:
        return self.services.accounts.get(self.environment, self.account_id).status

    def change(self, sql: str) -> None:
        with self.world.database.engine.begin() as connection:
            connection.execute(text(f"update integrated_account set {sql} where id = :id"), {"id": self.account_id})

    def set_status(self, status: str) -> None:
        self.services.accounts.update(self.environment, self.account_id, {"status": status})

    def ends_told(self) -> list[str]:
        """The events that show this run as it was, and none of those that other tests' runs left to be sent."""
        return [body["event"] for _, body in self.world.receiver.taken if body["payload"].get("id") == self.run_id]

    def told(self) -> list[tuple[str, str, str]]:
        """What was told of this account: the leader sends what other tests' runs have left as well."""
        taken = [body for _, body in self.world.receiver.taken if body["event"] == ANNOUNCED]
        bodies = [body for body in taken if body["payload"]["id"] == self.account_id]
        return [(body["webhook_id"], body["payload"]["id"], body["payload"]["last_error"]) for body in bodies]

    def _run_row(self) -> Any:
        with self.world.database.engine.connect() as connection:
            statement = text("select environment_id, integrated_account_id from sync_job_run where id = :id")
            return connection.execute(statement, {"id": self.run_id}).one()


@pytest.mark.parametrize("job", ["flat", "family-to-webhook"])
def test_the_webhooks_that_want_it_are_told_once_and_the_run_goes_on(pump_database: PumpDatabase, job: str) -> None:
    place = Place(pump_database, job)
    wanting, _other = place.subscribe([ANNOUNCED]), place.subscribe(["sync_job_run:record"])

    with Pump(place.world) as pump:
        handle(pump.daemon, place.world.mailbox, place.world.mailbox.waiting.pop(0))
        place.refuse()
        place.refuse()
        outcome = pump.run(place.run_id)
        pump.sweep()

    assert (wanting, place.account_id, "answered 401") in place.told()
    assert len(place.told()) == (1 if job == "flat" else 2)
    assert outcome.run["status"] == "completed"
    account = place.services.accounts.get(place.environment, place.account_id)
    assert (account.status, account.last_error) == ("needs_reauth", "answered 401")


def test_the_run_does_not_wait_for_a_receiver_that_is_not_its_own(pump_database: PumpDatabase) -> None:
    place = Place(pump_database, "family-to-webhook")
    other = place.subscribe([ANNOUNCED])

    with Pump(place.world) as pump:
        place.refuse()
        pump.sweep()

    page = place.services.deliveries.list(place.environment, other, ListFilters())
    assert [delivery.sync_job_run_id for delivery in page.result] == [None]


def test_a_token_that_is_the_accounts_no_more_says_nothing_against_it(pump_database: PumpDatabase) -> None:
    place = Place(pump_database, "flat")

    place.refuse(token="an older one")

    assert place.services.accounts.get(place.environment, place.account_id).status == "active"


def test_an_account_is_marked_also_when_its_run_is_gone(pump_database: PumpDatabase) -> None:
    place = Place(pump_database, "flat")
    place.subscribe(None)

    place.refuse(run_id=new_id())

    assert place.services.accounts.get(place.environment, place.account_id).status == "needs_reauth"


def test_the_webhook_is_told_of_a_run_that_failed_before_it_began(pump_database: PumpDatabase) -> None:
    """It has no work yet, and so nothing that sends its events; resumed, it sends them by the same unit."""
    place = Place(pump_database, "family-to-webhook")
    place.services.account_deletion.delete(place.environment, place.account_id)

    with Pump(place.world) as pump:
        outcome = pump.run(place.run_id)
        pump.sweep()
        first = place.ends_told()
        place.services.runs.resume(place.environment, place.run_id, errors_only=False)
        pump.run(place.run_id)
        pump.sweep()

    assert outcome.run["status"] == "failed"
    assert first == ["sync_job_run:failed"]
    assert place.ends_told()[-1] == "sync_job_run:failed"
    assert len(place.ends_told()) <= 3


@pytest.mark.parametrize("is_one_of_many", [False, True], ids=["alone", "with others"])
def test_run_ends_with_the_page_during_which_its_account_is_deleted(
    pump_database: PumpDatabase, is_one_of_many: bool
) -> None:
    place = Place(pump_database, "flat")
    deletion, api = place.services.account_deletion, place.world.api

    def delete() -> None:
        if len(api.asked) == 1:
            if is_one_of_many:
                deletion.delete_all(place.environment, [place.account_id])
            else:
                deletion.delete(place.environment, place.account_id)

    api.on_ask = delete
    with Pump(place.world) as pump:
        outcome = pump.run(place.run_id)

    assert (outcome.run["status"], outcome.run["error"]["code"]) == ("failed", "unworkable")
    assert "was deleted" in outcome.run["error"]["message"]
    assert len(api.asked) <= 3


@pytest.mark.parametrize("begins", [False, True], ids=["before it begins", "between two slices"])
def test_run_of_an_account_at_rest_sleeps_until_the_account_is_woken(pump_database: PumpDatabase, begins: bool) -> None:
    place = Place(pump_database, "flat")
    mailbox = place.world.mailbox
    place.world.settings = replace(place.world.settings, slice_pages=1)
    with Pump(place.world) as pump:
        for _ in range(3 if begins else 0):
            handle(pump.daemon, mailbox, mailbox.waiting.pop(0))
        asked = len(place.world.api.asked)
    # Another daemon: what one has read of a run it believes for a moment.
    with Pump(place.world) as pump:
        place.set_status("inactive")
        while message := mailbox.take():
            handle(pump.daemon, mailbox, message)
        resting = place.services.runs.get(place.environment, place.run_id)
        place.refuse()
        still = place.services.accounts.get(place.environment, place.account_id).status
        while_resting = len(place.world.api.asked)
        place.set_status("active")
        pump.sweep()
        woken = bool(mailbox.waiting)
        outcome = pump.run(place.run_id)

    assert (asked > 0, while_resting, still) == (begins, asked, "inactive")
    assert (resting.status, resting.retry_after is not None, woken) == ("rate_limited", True, True)
    assert (outcome.run["status"], outcome.errors, outcome.unfinished) == ("completed", [], [])
    assert len(place.world.api.asked) == len(set(place.world.api.asked))


def test_success_of_the_call_that_was_refused_ends_it_and_is_told(pump_database: PumpDatabase) -> None:
    place = Place(pump_database, "flat")
    wanting = place.subscribe([REACTIVATED])
    place.refuse()

    assert place.accept()
    assert place.accept()

    account = place.services.accounts.get(place.environment, place.account_id)
    assert (account.status, account.last_error) == ("active", None)
    page = place.services.deliveries.list(place.environment, wanting, ListFilters())
    assert [delivery.event for delivery in page.result] == [REACTIVATED]


MONTH_AGO = "refused_at = now() - interval '30 days'"
UNENDED = {
    "another call": ({}, {"call": "teams.list"}, "refused_at = now()"),
    "another token": ({}, {"token": "an older one"}, MONTH_AGO),
    "a token that can not be renewed": ({"call": ""}, {}, MONTH_AGO),
}
ENDED = {
    "another call, long after": ({}, {"call": "teams.list"}, MONTH_AGO),
    "any call of an account that an earlier version marked": ({}, {"call": "teams.list"}, "refused_call = null"),
}


@pytest.mark.parametrize(("refused", "accepted", "change"), UNENDED.values(), ids=UNENDED.keys())
def test_what_says_nothing_of_a_refusal_does_not_end_it(
    pump_database: PumpDatabase, refused: Any, accepted: Any, change: str
) -> None:
    place = Place(pump_database, "flat")
    place.refuse(**refused)
    place.change(change)

    assert not place.accept(**accepted)
    assert place.status() == "needs_reauth"


@pytest.mark.parametrize(("refused", "accepted", "change"), ENDED.values(), ids=ENDED.keys())
def test_old_refusal_is_ended_by_the_success_of_any_call(
    pump_database: PumpDatabase, refused: Any, accepted: Any, change: str
) -> None:
    place = Place(pump_database, "flat")
    place.refuse(**refused)
    place.change(change)

    assert place.accept(**accepted)
    assert place.status() == "active"


def test_call_that_is_refused_on_and_on_weighs_more_than_others_that_are_taken(pump_database: PumpDatabase) -> None:
    place = Place(pump_database, "flat")
    place.refuse()
    place.change(MONTH_AGO)
    place.refuse()

    assert not place.accept(call="teams.list")
