"""One row that can not be removed or numbered, for every duty that clears up: the others go, and it is told."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from app.engine.ids import new_id
from app.engine.objects.lists import ListFilters
from app.services.maintenance.retention import RowsLeftError
from app.store.maintenance.erasures import ErasureStore
from tests.support.led_place import LedPlace, led_place
from tests.support.pump_database import PumpDatabase

LONG_AGO = "now() - interval '400 days'"
# What a user has added to the database refuses one row.
_REFUSE = """
    create function refuse_one() returns trigger language plpgsql as $$
    begin raise exception 'a trigger of a user''s own refuses it'; end $$
"""


@pytest.fixture
def place(pump_database: PumpDatabase) -> Iterator[LedPlace]:
    with led_place(pump_database) as found:
        found.execute(_REFUSE, "")
        try:
            yield found
        finally:
            found.execute("drop function refuse_one cascade", "")


def poison(place: LedPlace, table: str, event: str, condition: str) -> None:
    """Have Postgres refuse a change of the rows that a condition over ``old`` holds for."""
    place.execute(
        f"create trigger refuses before {event} on {table} for each row when ({condition}) "
        "execute function refuse_one()",
        "",
    )


def left(place: LedPlace, statement: str) -> list[str]:
    """List what a statement finds of the environment; the database is that of other tests too."""
    values = {"environment": place.environment} if ":environment" in statement else {}
    with place.engine.connect() as connection:
        return sorted(str(value) for value in connection.execute(text(statement), values).scalars())


def faults_of(place: LedPlace, duty: str) -> str | None:
    fault = place.daemon.sweeper.faults.get(duty)
    return None if fault is None else str(fault["error"])


def test_run_that_can_not_be_forgotten(place: LedPlace) -> None:
    poisoned, *sound = (place.run(place.poisoned) for _ in range(4))
    place.execute(
        f"update sync_job_run set status = 'failed', finished_at = {LONG_AGO} where environment_id = :id",
        place.environment,
    )
    poison(place, "sync_job_run", "delete", f"old.id = '{poisoned}'")

    place.sweep_until(
        lambda: left(place, "select id from sync_job_run where environment_id = :environment") == [poisoned],
        "the end of the other runs",
    )

    assert len(sound) == 3
    assert place.status_of(poisoned) == "failed"


def test_key_that_can_not_be_forgotten(place: LedPlace) -> None:
    for number in range(5):
        place.execute(
            "insert into idempotency_key (environment_id, key, body_hash, run_id, created_at) "
            f"values (:id, 'key-{number}', '', gen_random_uuid(), {LONG_AGO} + interval '{number} minutes')",
            place.environment,
        )
    poison(place, "idempotency_key", "delete", "old.key = 'key-1'")

    place.sweep_until(
        lambda: left(place, "select key from idempotency_key where environment_id = :environment") == ["key-1"],
        "the end of the other keys",
    )

    assert faults_of(place, "forgetting keys") == RowsLeftError.__name__


def test_account_that_can_not_be_erased(place: LedPlace) -> None:
    poisoned, sound = place.poisoned, place.sound
    for account in (poisoned, sound):
        place.services.account_deletion.delete(place.environment, account, erase_at_once=True)
    poison(place, "deleted_account", "delete", f"old.id = '{poisoned}'")
    erasures = ErasureStore(place.engine)

    def found() -> dict[str, tuple[str, str | None]]:
        page = erasures.list(place.environment, ListFilters())
        return {one.integrated_account_id: (one.status.value, one.last_error) for one in page.result}

    place.sweep_until(lambda: found()[sound] == ("erased", None), "the end of the other account")

    status, error = found()[poisoned]
    assert (status, error) == ("erasing", "it broke with ProgrammingError")


def test_account_whose_records_can_not_be_numbered(place: LedPlace) -> None:
    for account in (place.poisoned, place.sound):
        place.execute(
            "insert into record (integrated_account_id, resource, remote_id, data, content_hash, sync_job_run_id) "
            f"values (:id, 'users', '1', '{{}}', '', '{new_id()}')",
            account,
        )
    poison(place, "record", "update", f"old.integrated_account_id = '{place.poisoned}'")
    place.execute("update online_migration set finished_at = null, place = null", "")
    accounts = f"'{place.poisoned}', '{place.sound}'"
    unnumbered = (
        f"select integrated_account_id from record where sequence = 0 and integrated_account_id in ({accounts})"
    )

    place.sweep_until(lambda: left(place, unnumbered) == [place.poisoned], "the numbers of the other account")

    assert left(place, "select finished_at from online_migration") == ["None"]
    place.execute("delete from record where integrated_account_id = :id", place.poisoned)
