"""What webhooks with ``changes_only`` know of records: compared page by page, and stored with the events.

Only a hash of a record is kept. It is written in the transaction of the event that brings the record; an event that
the webhook does not get withdraws it (webhook_records.py). Whoever writes here holds the account's log.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from psycopg import Cursor
from sqlalchemy import Connection

from app.engine.records.outcomes import Change
from app.engine.records.rows import RecordBatch
from app.engine.runs.books import Counters
from app.engine.runs.work import Changes, EventDraft, PageWrite, Pass, Vanished
from app.store.db.database import driver_cursor
from app.store.records import account_log
from app.store.records.differences import text_array

_COMPARED_AT_ONCE: Final = 5_000
# Each part ends with a batch that is not full.
_SENT_AT_ONCE: Final = 20_000

_OF: Final = "webhook_id = %(webhook_id)s and integrated_account_id = %(account_id)s and resource = %(resource)s"

_HELD = f"""
    select remote_id, case when deleted_at is null then content_hash end from webhook_record
     where {_OF} and remote_id = any(%(ids)s::text[])
"""

_SEND = """
    insert into webhook_record
           (webhook_id, integrated_account_id, resource, remote_id, content_hash, delivery_id, is_new)
    select cast(%(webhook_id)s as uuid), cast(%(account_id)s as uuid), %(resource)s,
           remote_id, content_hash, delivery_id, %(is_new)s
      from unnest(cast(%(ids)s as text[]), cast(%(hashes)s as bytea[]), cast(%(delivery_ids)s as uuid[]))
           sent (remote_id, content_hash, delivery_id)
        on conflict (webhook_id, integrated_account_id, resource, remote_id) do update
       set content_hash = excluded.content_hash, delivery_id = excluded.delivery_id, is_new = excluded.is_new,
           deleted_at = null
"""

_COUNT_OWN = f"""
    select count(*) from webhook_record
     where {_OF} and remote_id = any(%(ids)s::text[]) and content_hash <> ''
           and exists (select from delivery where delivery.id = webhook_record.delivery_id and run_id = %(run_id)s)
"""

_UNSEEN: Final = f"""
    from webhook_record
   where {_OF} and deleted_at is null
         and not exists (select from record_seen, unnest(remote_ids) seen
                          where resource_id = any(%(resource_ids)s) and not is_former
                                and seen = webhook_record.remote_id)
"""

_FORMER: Final = f"""
    {_UNSEEN} and exists (select from record_seen, unnest(remote_ids) former
                           where resource_id = any(%(resource_ids)s) and is_former
                                 and former = webhook_record.remote_id)
"""

_UNSEEN_IDS: Final = {
    replaced_only: f"select remote_id {which} order by remote_id"
    for replaced_only, which in ((False, _UNSEEN), (True, _FORMER))
}
_COUNT: Final = {
    replaced_only: f"""
        select (select count(*) from webhook_record where {_OF} and deleted_at is null), (select count(*) {which})
    """
    for replaced_only, which in ((False, _UNSEEN), (True, _FORMER))
}

_DELETE = f"""
    update webhook_record
       set content_hash = '', deleted_at = now(), is_new = false, delivery_id = sent.delivery_id
      from unnest(cast(%(ids)s as text[]), cast(%(delivery_ids)s as uuid[])) sent (remote_id, delivery_id)
     where {_OF} and webhook_record.remote_id = sent.remote_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What a comparison has come to."""

    events: Sequence[EventDraft] = ()
    counters: Counters = field(default_factory=Counters)
    collisions: int = 0
    """Records that have taken the place of one that the run itself has sent."""


def compare(cursor: Cursor[Any], page: PageWrite) -> Compared:
    """Draft events of what has changed, and record what they hold, within the caller's transaction."""
    changes = page.changes
    assert changes is not None
    place = {"webhook_id": changes.webhook_id, "account_id": page.account_id, "resource": page.resource}
    difference = _find_difference(cursor, changes, place)
    if difference:
        account_log.take_numbers(cursor, page.account_id, 0)
        # Another transaction may have written in between; none can from here on.
        difference = _find_difference(cursor, changes, place)
    updated, deleted = (difference.get(change, []) for change in (Change.UPDATED, Change.DELETED))
    collisions = 0
    if page.collision is not None and updated:
        values = {**place, "ids": text_array(updated), "run_id": page.claim.run_id}
        ((collisions,),) = cursor.execute(_COUNT_OWN, values).fetchall()
    events = _make_events(cursor, changes, difference, place)
    queued = sum(event.records for event in events)
    counters = Counters(
        queued=queued,
        unchanged=len(changes.records) + len(changes.deleted) - queued,
        repeated=changes.records.given - len(changes.records),
        deleted=len(deleted),
        tombstones=len(deleted),
    )
    return Compared(events=events, counters=counters, collisions=collisions)


def _find_difference(cursor: Cursor[Any], changes: Changes, place: Mapping[str, str]) -> dict[Change, list[str]]:
    batch = changes.records
    found: dict[Change, list[str]] = {}
    for ids in _parts(batch.ids, _COMPARED_AT_ONCE):
        held = _read_held(cursor, place, ids)
        for row in batch.rows(ids):
            known = held.get(row.remote_id)
            if known is None:
                found.setdefault(Change.CREATED, []).append(row.remote_id)
            elif known != row.content_hash:
                found.setdefault(Change.UPDATED, []).append(row.remote_id)
    for ids in _parts(list(changes.deleted), _COMPARED_AT_ONCE):
        held = _read_held(cursor, place, ids)
        if deleted := [remote_id for remote_id in ids if held.get(remote_id) is not None]:
            found.setdefault(Change.DELETED, []).extend(deleted)
    return found


def _read_held(cursor: Cursor[Any], place: Mapping[str, str], ids: Sequence[str]) -> dict[str, bytes | None]:
    return dict(cursor.execute(_HELD, {**place, "ids": text_array(ids)}).fetchall())


def _make_events(
    cursor: Cursor[Any], changes: Changes, difference: Mapping[Change, Sequence[str]], place: Mapping[str, str]
) -> Sequence[EventDraft]:
    """Draft the events and record what they hold, in the order of what was found."""
    events: list[EventDraft] = []
    for change, changed in difference.items():
        for part in _parts(changed, _SENT_AT_ONCE):
            drafts = changes.draft(change, part)
            if change is Change.DELETED:
                _record_deleted(cursor, drafts, place)
            else:
                _record_sent(cursor, changes.records, drafts, {**place, "is_new": change is Change.CREATED})
            events += drafts
    return events


def _record_sent(
    cursor: Cursor[Any], batch: RecordBatch, drafts: Sequence[EventDraft], values: Mapping[str, object]
) -> None:
    ids, delivery_ids = _records_of(drafts)
    hashes = [row.content_hash for row in batch.rows(ids)]
    cursor.execute(_SEND, {**values, "ids": text_array(ids), "hashes": hashes, "delivery_ids": delivery_ids})


def _record_deleted(cursor: Cursor[Any], drafts: Sequence[EventDraft], place: Mapping[str, object]) -> None:
    ids, delivery_ids = _records_of(drafts)
    cursor.execute(_DELETE, {**place, "ids": text_array(ids), "delivery_ids": delivery_ids})


def _records_of(drafts: Sequence[EventDraft]) -> tuple[list[str], list[str]]:
    pairs = [(remote_id, draft.id) for draft in drafts for remote_id in draft.remote_ids or ()]
    return [remote_id for remote_id, _ in pairs], [delivery_id for _, delivery_id in pairs]


def _parts(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), size):
        yield ids[start : start + size]


def count_vanished(connection: Connection, ended: Pass) -> Vanished:
    """Count what the webhook knows of and the pass has not seen; nobody changes it until the transaction ends."""
    account_log.allocate(connection, ended.account_id, 0)
    with driver_cursor(connection) as cursor:
        ((held, vanished),) = cursor.execute(_COUNT[ended.replaced_only], _place(ended)).fetchall()
    return Vanished(held, vanished)


def delete_vanished(
    connection: Connection, ended: Pass, make: Callable[[Sequence[str]], Sequence[EventDraft]]
) -> Sequence[EventDraft]:
    """Record that the webhook is sent what has vanished; return the events that say so."""
    with driver_cursor(connection) as cursor:
        vanished = cursor.execute(_UNSEEN_IDS[ended.replaced_only], _place(ended)).fetchall()
        drafts = make([remote_id for (remote_id,) in vanished])
        _record_deleted(cursor, drafts, _place(ended))
    return drafts


def _place(ended: Pass) -> dict[str, object]:
    return {
        "webhook_id": ended.webhook_id,
        "account_id": ended.account_id,
        "resource": ended.resource,
        "resource_ids": list(ended.resource_ids),
    }
