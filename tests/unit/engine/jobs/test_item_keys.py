"""What a run notes of keys as it begins."""

from typing import Any

import pytest

from app.engine.jobs import item_keys
from app.engine.jobs.definition import parse_resources
from app.engine.jobs.item_keys import HeldKeys, KeyNote, Rekeying
from app.engine.json_types import JsonObject
from app.engine.records.keys import BY_ID, RecordKey

BY_UID = RecordKey(paths=(("uid",),))
(ITEM,), _ = parse_resources([{"resource": "users", "method": "list", "persist": True}])
ID, UID = BY_ID.to_json(), BY_UID.to_json()


def held(*keys: JsonObject, is_noted: bool = True) -> dict[str, HeldKeys]:
    return {"users": HeldKeys(keys=keys, is_noted=is_noted)}


@pytest.mark.parametrize(
    ("known", "noted"),
    [
        ({}, {"users": ()}),
        (held(ID), {}),
        (held(ID, is_noted=False), {"users": ()}),
        (held(UID), {"users": (BY_UID,)}),
        (held(ID, UID), {"users": (BY_UID,)}),
    ],
    ids=["nothing held", "the same key", "other args", "another key", "two keys"],
)
def test_run_notes_what_is_not_known_yet(known: dict[str, HeldKeys], noted: dict[str, Any]) -> None:
    found = item_keys.plan_key_notes([(ITEM, BY_ID)], known)

    assert found == [
        KeyNote(
            resource="users",
            keys=[ID],
            rekeyings={"users": Rekeying(key=BY_ID, former=former)} if former else {},
        )
        for former in noted.values()
    ]


def test_rekeying_comes_back_as_it_was_written() -> None:
    one = Rekeying(key=BY_ID.add_parents(["of"]), former=(BY_UID, BY_ID))

    assert Rekeying.from_json(one.to_json()) == one
