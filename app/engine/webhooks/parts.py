"""Split a webhook event that its receiver refuses as too large: its records, or errors, are sent in two events."""

import json
from typing import Any, Final

from app.engine.ids import new_id
from app.engine.json_types import JsonObject
from app.engine.records.rows import encode
from app.engine.runs.work import EventDraft, PendingEvent
from app.engine.webhooks import events

_LISTS: Final = {events.RECORD: "records", events.RECORD_ERROR: "errors"}
_NUMBER: Final = "sequence"
_NUMBER_BEFORE: Final = "previous_sequence"


def split_event(event: PendingEvent) -> list[EventDraft]:
    """Split an event in two, in the order of its items; return nothing when it can not be split.

    Both halves bear the number of their batch, and the second names it as the one before its own: who looks whether
    each event follows the one before finds no gap.
    """
    name = _LISTS.get(event.event)
    if name is None:
        return []
    body: JsonObject = json.loads(event.body)
    items = body["payload"].get(name)
    if not isinstance(items, list) or len(items) < 2:
        return []
    middle = (len(items) + 1) // 2
    first = _draft_half(event, body, name, slice(None, middle))
    number = body.get(_NUMBER)
    following = body if number is None else {**body, _NUMBER_BEFORE: number}
    second = _draft_half(event, following, name, slice(middle, None))
    return [first, second]


def read_origin(event: PendingEvent) -> JsonObject:
    """Return an event's resource, and the ids of its records where it names them."""
    if event.event not in _LISTS:
        return {}
    payload: JsonObject = json.loads(event.body)["payload"]
    ids = payload.get("meta", {}).get("ids") or [
        record["id"] for record in payload.get("records", ()) if isinstance(record, dict) and "id" in record
    ]
    return {"resource": payload.get("resource"), "ids": ids}


def _draft_half(event: PendingEvent, body: JsonObject, name: str, part: "slice[Any, Any, Any]") -> EventDraft:
    payload = {**body["payload"], name: body["payload"][name][part]}
    if ids := payload.get("meta", {}).get("ids"):
        payload["meta"] = {**payload["meta"], "ids": ids[part]}
    id = new_id()
    return EventDraft(
        id=id,
        webhook_id=event.webhook_id,
        event=event.event,
        body=encode({**body, "id": id, "payload": payload}),
        resource_id=event.resource_id,
        records=len(payload[name]) if event.records else 0,
    )
