"""A page that Postgres refuses is an error that says so: it is not asked for until its unit counts as lost."""

import pytest

from app.store.units import small_pages
from tests.support.pump import Pump, World
from tests.support.pump_database import PumpDatabase
from tests.support.pump_jobs import Job
from tests.support.upstream import numbered
from tests.support.workspace import child_of, listed

NO_TEXT = {"id": "odd", "name": "half a \0 text"}
USERS = [*numbered("user", 2), NO_TEXT, *numbered("late", 3)]


@pytest.mark.parametrize("way", ["small page", "large page", "page with children"])
def test_page_that_postgres_refuses_is_asked_for_once_and_told(
    pump_database: PumpDatabase, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(small_pages, "_MOST_RECORDS", 0 if way == "large page" else 200)
    resources = [listed("users"), *([child_of("users", "notes")] if way == "page with children" else [])]
    notes = {user["id"]: numbered(f"note-{user['id']}", 1) for user in USERS}
    world = World(pump_database, Job(name=way, resources=resources, api={"users": {None: USERS}, "notes": notes}))

    with Pump(world) as pump:
        outcome = pump.run(world.post())

    assert outcome.run["status"] == "completed"
    assert [name for name, *_ in world.api.asked if name == "users"] == ["users"] * 2
    assert [(error["resource"], error["code"], error["message"]) for error in outcome.errors] == [
        (
            "users",
            "unwritable_page",
            "what 1 page(s) of 2 records hold can not be written: Postgres refuses it as UntranslatableCharacter "
            "(22P05)",
        )
    ]
    kept = {id for resource, id in outcome.records if resource == "users"}
    assert kept == {"user-1", "user-2"}
    assert outcome.unfinished == []
