"""Delete what has vanished upstream, or is held by a former key, at the end of a run that has seen all there is."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from app.engine.jobs import definition, planning
from app.engine.jobs.item_keys import Rekeying, group_keys
from app.engine.json_types import JsonObject
from app.engine.objects.runs import SyncJobRun
from app.engine.records.outcomes import Change, PageWarning
from app.engine.runs import deletes
from app.engine.runs.settling import ResourceState
from app.engine.runs.work import ErrorDraft, EventDraft, Pass, Vanished, draft_error
from app.engine.webhooks import events
from app.services.contexts.context import envelope_of
from app.services.ports import Clock
from app.services.runs.ports import LockedRun
from app.settings import Settings

logger = logging.getLogger(__name__)

_FORMER_KEY = (
    "the records' id_path has changed: they are held twice until a run that sees all of them, without an error and "
    "without previous_run_date, replaces those under the former ids"
)


@dataclass(slots=True)
class Deletions:
    """What became of the records that a run has not seen."""

    refusals: list[ErrorDraft] = field(default_factory=list)
    """An error for each resource of which too many have vanished."""
    delivery_unit_id: str | None = None
    """The unit that sends the events about the others; the run ends once they are delivered."""


def delete_vanished(run: SyncJobRun, locked: LockedRun, *, clock: Clock, settings: Settings) -> Deletions:
    """Delete what a run that is about to complete has not seen, or queue its webhook's events about it."""
    deletions = Deletions()
    if run.webhook_id and not (run.changes_only and events.is_sent(run, events.RECORD)):
        return deletions
    if not (locked.is_rekeying or any(item.get("delete_tracking") for item in run.resources)):
        return deletions
    items, _ = definition.parse_resources(run.resources)
    plan = planning.plan(items)
    tracked = deletes.list_tracked(plan)
    states = locked.progress().resources
    by_name = {state.name: state for state in states}
    rekeyed = [state.resource for state in states if state.rekeying is not None]
    for resource in dict.fromkeys((*rekeyed, *tracked)):
        writers = [state for state in states if state.resource == resource]
        ended = _EndedResource(
            run=run, writers=writers, locked=locked, deletions=deletions, clock=clock, settings=settings
        )
        is_complete = deletes.was_complete(resource, plan, by_name)
        if resource in rekeyed:
            ended.replace_former_keys(is_complete=is_complete)
        if resource in tracked and is_complete:
            ended.delete_unseen()
    return deletions


@dataclass(frozen=True, slots=True, kw_only=True)
class _Replacement:
    """What to delete of a resource that has got another key."""

    seen: Pass
    keys: Sequence[JsonObject]
    """Those that are left afterwards."""
    held_keys: Sequence[JsonObject]
    """Those that are left as long as there are other records."""
    is_shared: bool
    """Whether runs with other args bring other records."""
    summary: str
    """The former keys and the new one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _EndedResource:
    """One resource of a run that is about to complete."""

    run: SyncJobRun
    writers: Sequence[ResourceState]
    """The resources that bring its records."""
    locked: LockedRun
    deletions: Deletions
    clock: Clock
    settings: Settings

    @property
    def seen(self) -> Pass:
        """What has seen its records."""
        return Pass(
            run_id=self.run.id,
            account_id=self.run.integrated_account_id,
            resource=self.writers[0].resource,
            resource_ids=[state.id for state in self.writers],
            webhook_id=self.run.webhook_id,
        )

    def replace_former_keys(self, *, is_complete: bool) -> None:
        """Delete what is held by former keys, however much it is; warn where that has to wait."""
        locked, writer = self.locked, self.writers[0]
        replacement = self._plan_replacement() if is_complete else None
        if replacement is None:
            locked.warn(writer.id, PageWarning("former_key", _FORMER_KEY))
            return
        seen = replacement.seen
        found = locked.count_vanished(seen)
        self._delete(seen, found)
        has_more = replacement.is_shared and (seen.webhook_id is not None or locked.has_old_records(seen))
        locked.replace_keys(seen, replacement.held_keys if has_more else replacement.keys)
        if found.vanished:
            message = f"{replacement.summary}: the records that were held by it were replaced"
            locked.warn(writer.id, PageWarning("rekeyed", message, count=found.vanished))

    def _plan_replacement(self) -> _Replacement | None:
        """Return what a pass that has seen all there is replaces; None where that is uncertain, and all stays.

        Where a job is the only one that brings a resource, and always by the same args, all that the run has not seen
        is held by a former key, or is gone. Where others bring it too, what the run has seen under another id is
        replaced.
        """
        seen, keeping = self.seen, [state for state in self.writers if state.persist]
        rekeyings = [Rekeying.from_json(state.rekeying) for state in keeping if state.rekeying is not None]
        held = self.locked.read_held_keys(seen)
        if held is None or len(rekeyings) < len(keeping) or not any(state.counters.fetched for state in keeping):
            return None
        keys = group_keys((seen.resource, one.key) for one in rekeyings)[seen.resource]
        if missing := [key for key in keys if key not in held["keys"]]:
            # Another run has replaced what this one has brought so far: the next one has to do it again.
            self.locked.replace_keys(seen, [*held["keys"], *missing])
            return None
        former = [key.to_json() for key in rekeyings[0].former]
        if any(key not in former for key in held["keys"] if key not in keys):
            # Another run has begun to bring records by another key still.
            return None
        return _Replacement(
            seen=replace(seen, replaced_only=bool(held["is_shared"] or held["has_others"])),
            keys=keys,
            held_keys=held["keys"],
            is_shared=held["is_shared"],
            summary=f"id_path {', '.join(map(str, rekeyings[0].former))} is {rekeyings[0].key} by now",
        )

    def delete_unseen(self) -> None:
        """Delete what has vanished upstream, unless it is suspiciously much."""
        limit_percent = self.settings.delete_limit_percent
        found = self.locked.count_vanished(self.seen)
        if not deletes.is_too_many(found.vanished, found.held, limit_percent=limit_percent):
            self._delete(self.seen, found)
            return
        writer = self.writers[0]
        message = (
            f"{found.vanished} of {found.held} records of '{writer.resource}' have vanished upstream, more than the "
            f"{limit_percent:g} % that may be deleted at once: nothing was deleted"
        )
        self.deletions.refusals.append(
            draft_error(
                "delete_guard",
                message,
                at=self.clock.now(),
                source=writer,
                details={"vanished": found.vanished, "held": found.held},
            )
        )

    def _delete(self, seen: Pass, found: Vanished) -> None:
        if not found.vanished:
            return
        if self.run.webhook_id:
            self.deletions.delivery_unit_id = self.locked.queue_vanished(seen, self._draft_events)
        else:
            self.locked.delete_vanished(seen, count=found.vanished)
            logger.info("records were deleted", extra={"run_id": self.run.id, "count": found.vanished})

    def _draft_events(self, ids: Sequence[str]) -> Sequence[EventDraft]:
        """Return the events about records that have vanished, of which nothing is known but their ids."""
        writer, envelope = self.writers[0], envelope_of(self.run, self.clock)
        origin = events.Origin(run=self.run, resource=writer.resource, method=writer.method, resource_id=writer.id)
        records = {remote_id: {"id": remote_id} for remote_id in ids}
        return events.draft_changes(
            envelope, origin, Change.DELETED, records, limit_bytes=self.settings.delivery_batch_bytes
        )
