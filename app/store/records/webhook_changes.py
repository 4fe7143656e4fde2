"""What webhooks that ask for changes only were told of records: compared page by page, and forgotten if it got lost.

Only a hash of a record is kept. It is written with the event that tells of the record, in one transaction; an event
that is given up, or cancelled with its run, takes its word back, so that the next run tells of its records again.
Whoever writes here holds the account's log.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, text

from app.engine.records.outcomes import Change
from app.engine.records.rows import RecordBatch
from app.engine.runs.books import Counters
from app.engine.runs.work import Changes, EventDraft, PageWrite, Pass, Vanished
from app.store.records import account_log

_COMPARED_AT_ONCE: Final = 5_000
# Each part ends with a batch that is not full.
_TOLD_AT_ONCE: Final = 20_000

_OF: Final = "webhook_id = :webhook_id and integrated_account_id = :account_id and resource = :resource"

_HELD = text(f"""
    select remote_id, case when deleted_at is null then content_hash end as told from webhook_record
     where {_OF} and remote_id = any(:ids)
""")

_TELL = text("""
    insert into webhook_record
           (webhook_id, integrated_account_id, resource, remote_id, content_hash, delivery_id, is_new)
    select cast(:webhook_id as uuid), cast(:account_id as uuid), :resource,
           remote_id, content_hash, delivery_id, :is_new
      from unnest(cast(:ids as text[]), cast(:hashes as bytea[]), cast(:delivery_ids as uuid[]))
           told (remote_id, content_hash, delivery_id)
        on conflict (webhook_id, integrated_account_id, resource, remote_id) do update
       set content_hash = excluded.content_hash, delivery_id = excluded.delivery_id, is_new = excluded.is_new,
           deleted_at = null
""")

_SEE = text("insert into record_seen (resource_id, remote_ids, is_former) values (:resource_id, :ids, :is_former)")

_COUNT_OWN = text(f"""
    select count(*) from webhook_record
     where {_OF} and remote_id = any(:ids) and content_hash <> ''
           and exists (select from delivery where delivery.id = webhook_record.delivery_id and run_id = :run_id)
""")

_UNSEEN: Final = f"""
    from webhook_record
   where {_OF} and deleted_at is null
         and not exists (select from record_seen, unnest(remote_ids) seen
                          where resource_id = any(:resource_ids) and not is_former
                                and seen = webhook_record.remote_id)
"""

_FORMER: Final = f"""
    {_UNSEEN} and exists (select from record_seen, unnest(remote_ids) former
                           where resource_id = any(:resource_ids) and is_former and former = webhook_record.remote_id)
"""

_UNSEEN_IDS: Final = {
    replaced_only: text(f"select remote_id {which} order by remote_id")
    for replaced_only, which in ((False, _UNSEEN), (True, _FORMER))
}
_COUNT: Final = {
    replaced_only: text(f"""
        select (select count(*) from webhook_record where {_OF} and deleted_at is null), (select count(*) {which})
    """)
    for replaced_only, which in ((False, _UNSEEN), (True, _FORMER))
}

_DELETE = text(f"""
    update webhook_record
       set content_hash = '', deleted_at = now(), is_new = false, delivery_id = told.delivery_id
      from unnest(cast(:ids as text[]), cast(:delivery_ids as uuid[])) told (remote_id, delivery_id)
     where {_OF} and webhook_record.remote_id = told.remote_id
""")

_TOLD_BY: Final = text("select integrated_account_id from sync_job_run where id = :run_id and changes_only")

_ACCOUNTS: Final = "select distinct integrated_account_id from delivery where remote_ids is not null and "

_TAKE_BACK: Final = """
    with told as (
             select delivery.id, delivery.webhook_id, delivery.integrated_account_id, run_resource.resource,
                    unnest(delivery.remote_ids) as remote_id
               from delivery join run_resource on run_resource.id = delivery.resource_id
              where delivery.remote_ids is not null and {which}),
         new as (
             delete from webhook_record using told
              where {same} and webhook_record.is_new)
    update webhook_record set content_hash = '', deleted_at = null from told
     where {same} and not webhook_record.is_new
"""

_SAME: Final = """
    webhook_record.webhook_id = told.webhook_id
    and webhook_record.integrated_account_id = told.integrated_account_id
    and webhook_record.resource = told.resource and webhook_record.remote_id = told.remote_id
    and webhook_record.delivery_id = told.id
"""

_HAND_OVER: Final = text("""
    update webhook_record set delivery_id = part.id
      from (select delivery.id, delivery.webhook_id, delivery.integrated_account_id, run_resource.resource,
                   unnest(delivery.remote_ids) as remote_id
              from delivery join run_resource on run_resource.id = delivery.resource_id
             where delivery.id = any(cast(:part_ids as uuid[])) and delivery.remote_ids is not null) part
     where webhook_record.webhook_id = part.webhook_id
           and webhook_record.integrated_account_id = part.integrated_account_id
           and webhook_record.resource = part.resource and webhook_record.remote_id = part.remote_id
           and webhook_record.delivery_id = :id
""")

_TAKE_OVER: Final = text("""
    update webhook_record set delivery_id = :id
      from (select delivery.id, delivery.webhook_id, delivery.integrated_account_id, run_resource.resource,
                   unnest(delivery.remote_ids) as remote_id
              from delivery join run_resource on run_resource.id = delivery.resource_id
             where delivery.id = any(cast(:other_ids as uuid[])) and delivery.remote_ids is not null) other
     where webhook_record.webhook_id = other.webhook_id
           and webhook_record.integrated_account_id = other.integrated_account_id
           and webhook_record.resource = other.resource and webhook_record.remote_id = other.remote_id
           and webhook_record.delivery_id = other.id
""")

_ONE: Final = "delivery.id = :id"
_WAITING: Final = "delivery.run_id = :id and delivery.status = 'pending'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a comparison has come to."""

    events: Sequence[EventDraft] = ()
    counters: Counters = field(default_factory=Counters)
    collisions: int = 0
    """Records that have taken the place of one of which the run itself has told."""


def compare(connection: Connection, page: PageWrite) -> Told:
    """Make events of what has changed, and note that the webhook is told so, within the caller's transaction."""
    changes = page.changes
    assert changes is not None
    place = {"webhook_id": changes.webhook_id, "account_id": page.account_id, "resource": page.resource}
    if page.tracks_deletes:
        _see(connection, page, changes)
    difference = _difference(connection, changes, place)
    if difference:
        account_log.allocate(connection, page.account_id, 0)
        # Somebody may have written in between; nobody can any more.
        difference = _difference(connection, changes, place)
    updated, deleted = (difference.get(change, []) for change in (Change.UPDATED, Change.DELETED))
    collisions = _count_own(connection, page, updated, place)
    events = _tell(connection, changes, difference, place)
    queued = sum(event.records for event in events)
    counters = Counters(
        queued=queued,
        unchanged=len(changes.records) + len(changes.deleted) - queued,
        repeated=changes.records.given - len(changes.records),
        deleted=len(deleted),
        tombstones=len(deleted),
    )
    return Told(events=events, counters=counters, collisions=collisions)


def _see(connection: Connection, page: PageWrite, changes: Changes) -> None:
    for ids, is_former in ((changes.records.ids, False), (list(page.former_ids), True)):
        if ids:
            seen = {"resource_id": page.claim.resource_id, "ids": ids, "is_former": is_former}
            connection.execute(_SEE, seen)


def _count_own(connection: Connection, page: PageWrite, ids: Sequence[str], place: Mapping[str, str]) -> int:
    if page.collision is None or not ids:
        return 0
    count: int = connection.execute(_COUNT_OWN, {**place, "ids": ids, "run_id": page.claim.run_id}).scalar_one()
    return count


def _tell(
    connection: Connection, changes: Changes, difference: Mapping[Change, Sequence[str]], place: Mapping[str, str]
) -> Sequence[EventDraft]:
    """Make the events and note them, in the order of what was found."""
    events: list[EventDraft] = []
    for change, ids in difference.items():
        for part in _parts(ids, _TOLD_AT_ONCE):
            drafts = changes.tell(change, part)
            if change is Change.DELETED:
                _note_deleted(connection, drafts, place)
            else:
                _note(connection, changes.records, drafts, {**place, "is_new": change is Change.CREATED})
            events += drafts
    return events


def count_vanished(connection: Connection, ended: Pass) -> Vanished:
    """Count what the webhook knows of and the pass has not seen; nobody changes it until the transaction ends."""
    account_log.allocate(connection, ended.account_id, 0)
    return Vanished(*connection.execute(_COUNT[ended.replaced_only], _place(ended)).one())


def delete_vanished(
    connection: Connection, ended: Pass, tell: Callable[[Sequence[str]], Sequence[EventDraft]]
) -> Sequence[EventDraft]:
    """Note that the webhook is told what has vanished; give the events that do so."""
    drafts = tell(list(connection.execute(_UNSEEN_IDS[ended.replaced_only], _place(ended)).scalars()))
    _note_deleted(connection, drafts, _place(ended))
    return drafts


def lock_told_by(connection: Connection, delivery_id: str) -> None:
    """Keep what an event has told from changing until the transaction ends."""
    for account_id in connection.execute(text(_ACCOUNTS + _ONE), {"id": delivery_id}).scalars():
        account_log.allocate(connection, str(account_id), 0)


def hand_over(connection: Connection, delivery_id: str, part_ids: Sequence[str]) -> None:
    """Note that what an event has told is told by its parts; it was locked before."""
    connection.execute(_HAND_OVER, {"id": delivery_id, "part_ids": list(part_ids)})


def take_over(connection: Connection, delivery_id: str, other_ids: Sequence[str]) -> None:
    """Note that what other events were to tell is told by one of them; they are locked, and still there."""
    connection.execute(_TAKE_OVER, {"id": delivery_id, "other_ids": list(other_ids)})


def take_back(connection: Connection, delivery_id: str) -> None:
    """Forget what an event has told, which its webhook will not get."""
    _take_back(connection, _ONE, delivery_id)


def lock_told(connection: Connection, run_id: str) -> None:
    """Keep what was told from changing until the transaction ends: it is locked before the units of a run."""
    account_id = connection.execute(_TOLD_BY, {"run_id": run_id}).scalar_one_or_none()
    if account_id is not None:
        account_log.allocate(connection, str(account_id), 0)


def take_back_waiting(connection: Connection, run_id: str) -> None:
    """Forget what the waiting events of a run tell, which nobody will send."""
    _take_back(connection, _WAITING, run_id)


def _take_back(connection: Connection, which: str, id: str) -> None:
    accounts = connection.execute(text(_ACCOUNTS + which), {"id": id}).scalars().all()
    for account_id in accounts:
        account_log.allocate(connection, str(account_id), 0)
    if accounts:
        connection.execute(text(_TAKE_BACK.format(which=which, same=_SAME)), {"id": id})


def _difference(connection: Connection, changes: Changes, place: Mapping[str, str]) -> dict[Change, list[str]]:
    batch = changes.records
    found: dict[Change, list[str]] = {}
    for ids in _parts(batch.ids, _COMPARED_AT_ONCE):
        held = _held(connection, place, ids)
        for row in batch.rows(ids):
            known = held.get(row.remote_id)
            if known is None:
                found.setdefault(Change.CREATED, []).append(row.remote_id)
            elif bytes(known) != row.content_hash:
                found.setdefault(Change.UPDATED, []).append(row.remote_id)
    for ids in _parts(list(changes.deleted), _COMPARED_AT_ONCE):
        held = _held(connection, place, ids)
        if deleted := [remote_id for remote_id in ids if held.get(remote_id) is not None]:
            found.setdefault(Change.DELETED, []).extend(deleted)
    return found


def _held(connection: Connection, place: Mapping[str, str], ids: Sequence[str]) -> dict[str, bytes | None]:
    return {row.remote_id: row.told for row in connection.execute(_HELD, {**place, "ids": ids})}


def _parts(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), size):
        yield ids[start : start + size]


def _note(
    connection: Connection, batch: RecordBatch, drafts: Sequence[EventDraft], values: Mapping[str, object]
) -> None:
    ids, delivery_ids = _told(drafts)
    hashes = [row.content_hash for row in batch.rows(ids)]
    connection.execute(_TELL, {**values, "ids": ids, "hashes": hashes, "delivery_ids": delivery_ids})


def _note_deleted(connection: Connection, drafts: Sequence[EventDraft], place: Mapping[str, object]) -> None:
    ids, delivery_ids = _told(drafts)
    connection.execute(_DELETE, {**place, "ids": ids, "delivery_ids": delivery_ids})


def _told(drafts: Sequence[EventDraft]) -> tuple[list[str], list[str]]:
    pairs = [(remote_id, draft.id) for draft in drafts for remote_id in draft.remote_ids or ()]
    return [remote_id for remote_id, _ in pairs], [delivery_id for _, delivery_id in pairs]


def _place(ended: Pass) -> dict[str, object]:
    return {
        "webhook_id": ended.webhook_id,
        "account_id": ended.account_id,
        "resource": ended.resource,
        "resource_ids": list(ended.resource_ids),
    }
