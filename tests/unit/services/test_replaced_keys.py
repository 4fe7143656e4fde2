"""Records under former keys are replaced by a run that has seen all, and by no other."""

from typing import Any

import pytest

from app.engine.jobs.item_keys import Rekeying
from app.engine.json_types import JsonObject
from app.engine.records.keys import BY_ID, RecordKey
from app.engine.runs.books import Counters
from app.engine.runs.work import UnitDraft, UnitKind, Vanished
from app.engine.status import RunStatus
from tests.unit.services.service_moves import resource_state
from tests.unit.services.service_setting import setting
from tests.unit.services.service_world import DELIVERY_UNIT

BY_UID = RecordKey(paths=(("uid",),))
ITEM = {"resource": "tickets", "method": "list", "persist": True}
REKEYING = Rekeying(key=BY_UID, former=(BY_ID,)).to_json()
ID, UID = BY_ID.to_json(), BY_UID.to_json()
SEEN = Counters(fetched=3, created=3)


def held(*keys: JsonObject, is_shared: bool = False, has_others: bool = False) -> JsonObject:
    return {"keys": list(keys), "is_shared": is_shared, "has_others": has_others}


def settled(known: JsonObject | None, *, has_old: bool = False, **state: Any) -> Any:
    """Settle a run that brings tickets by another key; give what it has left."""
    here = setting([ITEM])
    here.moves.resources = [resource_state(**{"rekeying": REKEYING, "counters": SEEN, **state})]
    here.moves.vanished = Vanished(held=6, vanished=3)
    here.moves.has_old_records = has_old
    if known is not None:
        here.moves.held_keys = {"tickets": known}

    here.lifecycle().settle("run")

    assert here.runs.rows["run"].status is RunStatus.COMPLETED
    return here.moves


def test_all_that_was_not_seen_is_deleted_beyond_the_guard() -> None:
    moves = settled(held(ID, UID))

    assert (moves.deleted, moves.replaced_only, moves.held_keys["tickets"]["keys"]) == ({"tickets": 3}, [False], [UID])
    assert [(warning.code, warning.count) for _, warning in moves.warnings] == [("rekeyed", 3)]


@pytest.mark.parametrize(
    ("known", "has_old", "left"),
    [
        (held(ID, UID, has_others=True), False, [UID]),
        (held(ID, UID, is_shared=True), True, [ID, UID]),
        (held(ID, UID, is_shared=True), False, [UID]),
    ],
    ids=["other jobs", "other args with more", "other args without"],
)
def test_what_others_bring_is_replaced_only_where_it_was_seen(
    known: JsonObject, has_old: bool, left: list[JsonObject]
) -> None:
    moves = settled(known, has_old=has_old)

    assert (moves.replaced_only, moves.held_keys["tickets"]["keys"]) == ([True], left)


@pytest.mark.parametrize(
    ("known", "state"),
    [
        (held(ID, UID), {"counters": Counters(fetched=3, created=3, errors=1)}),
        (held(ID, UID), {"counters": Counters()}),
        (held(ID), {}),
        (held(ID, UID, {"paths": [["new"]], "list": False, "parents": []}), {}),
        (None, {}),
    ],
    ids=["an error", "nothing seen", "key not noted", "a third key", "nothing noted"],
)
def test_uncertain_run_replaces_nothing_and_says_so(known: JsonObject | None, state: dict[str, Any]) -> None:
    moves = settled(known, **state)

    assert moves.deleted == {}
    assert [warning.code for _, warning in moves.warnings] == ["former_key"]


def test_key_that_another_run_has_replaced_meanwhile_is_noted_again() -> None:
    moves = settled(held(ID))

    assert moves.held_keys["tickets"]["keys"] == [ID, UID]


def test_nothing_is_warned_of_where_nothing_was_left_to_replace() -> None:
    here = setting([ITEM])
    here.moves.resources = [resource_state(rekeying=REKEYING, counters=SEEN)]
    here.moves.vanished = Vanished(held=3, vanished=0)
    here.moves.held_keys = {"tickets": held(ID, UID)}

    here.lifecycle().settle("run")

    assert (here.moves.deleted, here.moves.warnings) == ({}, [])
    assert here.moves.held_keys["tickets"]["keys"] == [UID]


def test_webhook_is_told_of_former_ids_as_deleted_and_other_args_wait_for_their_runs() -> None:
    here = setting([ITEM], run_fields={"webhook_id": "webhook", "changes_only": True})
    here.units.add(UnitDraft(id=DELIVERY_UNIT, resource_id=None, kind=UnitKind.DELIVERY))
    here.moves.resources = [resource_state(rekeying=REKEYING, counters=Counters(fetched=3, unchanged=3))]
    here.moves.vanished = Vanished(held=6, vanished=3)
    here.moves.held_keys = {"tickets": held(ID, UID, is_shared=True)}

    here.lifecycle().settle("run")

    assert (here.moves.deleted, here.dispatcher.unit_ids) == ({"tickets": 3}, [DELIVERY_UNIT])
    assert here.moves.held_keys["tickets"]["keys"] == [ID, UID]


def test_run_that_begins_notes_by_what_its_records_are_known() -> None:
    here = setting([ITEM])

    here.lifecycle().begin("run")

    assert [(note.resource, note.keys, note.rekeyings) for note in here.moves.key_notes] == [("tickets", [ID], {})]


def test_run_that_begins_with_another_key_is_bound_to_it() -> None:
    here = setting([ITEM])
    here.held_keys = {"tickets": {"keys": [UID], "is_noted": True}}

    here.lifecycle().begin("run")

    (note,) = here.moves.key_notes
    assert note.rekeyings == {"tickets": Rekeying(key=BY_ID, former=(BY_UID,))}


def test_webhook_that_gets_all_records_has_no_keys() -> None:
    here = setting([ITEM], run_fields={"webhook_id": "webhook"})

    here.lifecycle().begin("run")

    assert here.moves.key_notes == []
