"""Events that are too large are cut in two, and nothing of them is lost, doubled, reordered or changed."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from app.engine.records.rows import encode
from app.engine.runs.work import EventDraft, PendingEvent
from app.engine.webhooks import events
from app.engine.webhooks import parts as event_parts

NUMBERED = {"previous_sequence": 7, "sequence": 9}


def pending(name: str, payload: dict[str, Any], records: int = 0, **more: Any) -> PendingEvent:
    return PendingEvent(
        id="whole",
        webhook_id="webhook",
        resource_id="resource",
        event=name,
        body=encode({"id": "whole", "event": name, "payload": payload, **more}),
        records=records,
        attempts=3,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def again(half: EventDraft) -> PendingEvent:
    fields = {name: getattr(half, name) for name in ("id", "webhook_id", "resource_id", "event", "body", "records")}
    return PendingEvent(**fields, attempts=0, created_at=datetime(2026, 1, 1, tzinfo=UTC))


def leaves(event: PendingEvent) -> list[EventDraft]:
    """Cut until nothing can be cut any more."""
    found: list[EventDraft] = []
    for half in event_parts.split_event(event):
        found += leaves(again(half)) or [half]
    return found


@pytest.mark.parametrize("count", [2, 3, 7, 8])
def test_records_come_in_their_order_each_with_its_id_and_without_a_gap(count: int) -> None:
    records = [{"key": number, "big": 2**80 + number, "part": 0.1 + number} for number in range(count)]
    payload = {"resource": "r", "records": records, "meta": {"ids": [f"id-{n}" for n in range(count)]}}

    parts = leaves(pending(events.RECORD, payload, count, **NUMBERED))

    bodies = [json.loads(part.body) for part in parts]
    assert [body["payload"]["records"] for body in bodies] == [[record] for record in records]
    assert [body["payload"]["meta"]["ids"] for body in bodies] == [[f"id-{n}"] for n in range(count)]
    assert [body["id"] for body in bodies] == [part.id for part in parts]
    assert len({part.id for part in parts}) == count
    assert [part.records for part in parts] == [1] * count
    last = 7
    for body in bodies:
        assert body["previous_sequence"] == last
        last = body["sequence"]
    assert last == 9


def test_errors_of_a_batch_are_parted_and_count_no_records() -> None:
    payload = {"resource": "r", "errors": [{"error": "a"}, {"error": "b"}]}

    parts = event_parts.split_event(pending(events.RECORD_ERROR, payload))

    assert [json.loads(part.body)["payload"]["errors"] for part in parts] == [[{"error": "a"}], [{"error": "b"}]]
    assert [part.records for part in parts] == [0, 0]
    assert "sequence" not in json.loads(parts[0].body)


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        (events.RECORD, {"records": [{"id": 1}], "meta": {}}),
        (events.RECORD_ERROR, {"error": {"error": "a"}}),
        (events.COMPLETED, {"records": [1, 2]}),
    ],
    ids=["one record", "one error", "no batch"],
)
def test_event_that_holds_one_thing_is_not_parted(name: str, payload: dict[str, Any]) -> None:
    assert event_parts.split_event(pending(name, payload)) == []


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (pending(events.RECORD, {"resource": "r", "records": [{"id": 4}, "text"], "meta": {}}), ("r", [4])),
        (pending(events.RECORD, {"resource": "r", "records": [{}], "meta": {"ids": ["k"]}}), ("r", ["k"])),
    ],
    ids=["by its field", "by its key"],
)
def test_origin_names_what_a_record_is_known_by(event: PendingEvent, told: tuple[str, list[object]]) -> None:
    assert event_parts.read_origin(event) == {"resource": told[0], "ids": told[1]}


def test_event_of_no_resource_has_no_origin() -> None:
    assert event_parts.read_origin(pending(events.COMPLETED, {})) == {}
