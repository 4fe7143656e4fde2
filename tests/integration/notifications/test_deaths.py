"""A leader that dies, and rows that can not be read: nothing is lost, and a message is repeated under its own id."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection

from app.bootstrap.notifications import build_notification_sending, build_watching
from app.bootstrap.shared import Outside
from app.engine.errors import StoreUnavailableError
from app.engine.notifications import events
from app.services.maintenance.duties import start_here
from app.store.notifications.messages import MessageStore
from tests.support.http_server import HttpServer, Request, Response
from tests.support.notified_place import NotifiedPlace, Slack
from tests.support.pump import Mailbox
from tests.support.pump_database import KilledError


def _kill_at(place: NotifiedPlace, number: int, *, after: bool) -> Callable[[], None]:
    """Let the process die at its so-manieth commit; return what takes that back."""
    dialect: Any = place.engine.dialect
    commit, count = dialect.do_commit, 0

    def counted(connection: Connection) -> None:
        nonlocal count
        count += 1
        if count == number and not after:
            raise KilledError
        commit(connection)
        if count == number:
            raise KilledError

    dialect.do_commit = counted

    def restore() -> None:
        dialect.do_commit = commit

    return restore


def _replace_leader(place: NotifiedPlace) -> None:
    place.watching = build_watching(place.shared, place.settings)
    outside = Outside(engine=place.engine, dispatcher=Mailbox(), start_duty=start_here)
    place.sending = build_notification_sending(place.shared, outside, place.settings)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_leader_that_dies_at_any_commit_loses_nothing_and_repeats_at_most_one_message(
    place: NotifiedPlace, after: bool
) -> None:
    ids: list[str] = []

    def take(request: Request) -> Response:
        ids.append(request.headers["webhook-id"])
        return Response()

    server = HttpServer(take)
    deaths, number = 0, 0
    while True:
        number += 1
        destination = place.destination("webhook", {"target_url": server.url}).id
        account = place.new_account()
        place.fail(account)
        ids.clear()
        restore = _kill_at(place, number, after=after)
        try:
            place.look()
        except KilledError:
            deaths += 1
        else:
            break
        finally:
            restore()
        _replace_leader(place)
        place.look()
        # What was under way when it died is sent again once its lease has ended.
        place.execute("update notification set lease_expires_at = now() where lease_expires_at is not null")
        place.look()
        place.look()

        assert len(set(ids)) == 1, f"killed at commit {number}"
        assert len(ids) <= 2
        assert len(place.rows("select from notification where notification_destination_id = :id", id=destination)) == 1
        place.api.notifications.destinations.delete(place.environment, destination)
    server.close()

    assert deaths >= 6


def test_message_whose_sending_could_not_be_recorded_is_sent_again_under_the_same_id(
    place: NotifiedPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids: list[str] = []

    def take(request: Request) -> Response:
        ids.append(request.headers["webhook-id"])
        return Response()

    server = HttpServer(take)
    place.destination("webhook", {"target_url": server.url})
    place.fail(place.new_account())

    def fail(_store: MessageStore, _id: str) -> None:
        raise StoreUnavailableError("away")

    with monkeypatch.context() as patched:
        patched.setattr(MessageStore, "record_sent", fail)
        place.look()
    _replace_leader(place)
    place.look()
    place.pass_time(60)
    place.look()
    place.look()
    server.close()

    assert len(ids) == 2
    assert len(set(ids)) == 1


def test_two_leaders_at_once_tell_it_once(place: NotifiedPlace, slack: Slack) -> None:
    place.slack(slack)
    place.fail(place.new_account())
    others = [build_watching(place.shared, place.settings) for _ in range(3)]

    for watching in others:
        watching.watch()
    place.look()

    assert len(slack.texts) == 1


def test_watcher_leaves_alone_what_another_process_watches_for(place: NotifiedPlace, slack: Slack) -> None:
    destination = place.slack(slack)
    place.fail(place.new_account())
    with place.engine.connect() as connection:
        connection.exec_driver_sql(
            "select id from notification_destination where id = %(id)s for update", {"id": destination}
        )
        place.look()
        assert slack.texts == []
        connection.rollback()

    place.look()

    assert len(slack.texts) == 1


def test_rule_whose_config_is_spoiled_keeps_no_other_from_being_watched(place: NotifiedPlace, slack: Slack) -> None:
    destination = place.slack(slack)
    spoiled, _ = (place.rule(destination, events.RUN_FAILED_REPEATEDLY), place.rule(destination, events.RUN_FAILED))
    place.execute("""update notification_rule set config = '"none"' where id = :id""", id=spoiled.id)
    place.fail(place.new_account())

    place.look()

    assert len(slack.texts) == 1


def test_incident_whose_facts_are_spoiled_keeps_no_other_from_being_told(place: NotifiedPlace, slack: Slack) -> None:
    place.slack(slack)
    place.fail(place.new_account(), "spoiled")
    place.fail(place.new_account(), "sound")
    telling = place.watching._telling
    groups, telling._find_due = telling._find_due, lambda *_args, **_kwargs: []
    place.look()
    place.execute("update incident set facts = '[]' where cause = 'spoiled'")
    # A run that is looked at again would mend it.
    place.execute("update sync_job_run set finished_at = now() - interval '1 hour'")
    telling._find_due = groups

    place.look()

    assert ["(sound)" in text for text in slack.texts] == [True]


def test_message_that_is_spoiled_is_given_a_reason_and_keeps_no_other_from_being_sent(
    place: NotifiedPlace, slack: Slack
) -> None:
    place.slack(slack)
    place.fail(place.new_account(), "spoiled")
    place.fail(place.new_account(), "sound")
    while place.watching.watch():
        pass
    place.execute("""update notification set message = '"none"' where cause = 'spoiled'""")

    place.look()

    assert ["(sound)" in text for text in slack.texts] == [True]
    (row,) = place.rows("select last_error from notification where cause = 'spoiled'")
    assert row["last_error"] == "it broke with AttributeError"


def test_destination_whose_config_does_not_decrypt_says_so_and_others_are_told(
    place: NotifiedPlace, slack: Slack
) -> None:
    spoiled = place.slack(slack)
    place.slack(slack)
    place.execute(
        "update notification_destination set config_encrypted = cast('k2:00000000:AAAA' as bytea) where id = :id",
        id=spoiled,
    )
    place.fail(place.new_account())

    place.look()

    shown = place.api.notifications.destinations.get(place.environment, spoiled)
    assert len(slack.texts) == 1
    assert "'00000000'" in shown.unreadable and "does not decrypt" in shown.last_error


def test_account_that_is_erased_is_named_nowhere(place: NotifiedPlace, slack: Slack) -> None:
    destination = place.slack(slack)
    erased, kept = place.new_account(), place.new_account()
    place.rule(destination, events.STALE, {"resource": "tickets"}, integrated_account_id=erased)
    place.rule(destination, events.RUN_FAILED)
    place.fail(erased)
    place.look()
    place.pass_time(400)
    place.fail(kept)
    place.look()
    place.erase(erased)

    for table in ("incident", "notification", "notification_rule"):
        assert place.rows(f"select from {table} t where strpos(cast(t as text), :id) > 0", id=erased) == []
    assert len(place.rows("select from incident")) == 1
    assert len(place.rows("select from notification")) == 1
