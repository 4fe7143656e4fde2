"""Replace what is held by former keys, once a run that knows its records by another one has seen all there is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from app.engine.jobs.item_keys import Rekeying, group_keys
from app.engine.json_types import JsonObject
from app.engine.records.outcomes import PageWarning
from app.engine.runs.settling import ResourceState
from app.engine.runs.work import Pass


class LockedKeys(Protocol):
    """The keys by which records are held, of a run whose row is locked."""

    is_rekeying: bool
    """Records of the run have another key than they are held by."""

    def held_keys(self, ended: Pass) -> JsonObject | None:
        """Read ``{keys, is_shared, has_others}`` of a pass' records."""

    def has_old_records(self, ended: Pass) -> bool:
        """Whether the account has records from before its job brought any by another key."""

    def replace_keys(self, ended: Pass, keys: Sequence[JsonObject]) -> None:
        """Note that a pass' records are held by these keys alone."""

    def warn(self, resource_id: str, warning: PageWarning) -> None:
        """Count a warning of one of the run's resources."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """What to delete of a resource that has got another key."""

    ended: Pass
    keys: Sequence[JsonObject]
    """Those that are left then."""
    held_keys: Sequence[JsonObject]
    """Those that are left while there are other records yet."""
    is_shared: bool
    """Runs with other args bring other records."""
    shown: str
    """The former keys and the new one."""


def resources(states: Sequence[ResourceState]) -> list[str]:
    """List the resources whose records have another key than they are held by."""
    return list(dict.fromkeys(state.resource for state in states if state.rekeying is not None))


def planned(ended: Pass, writers: Sequence[ResourceState], locked: LockedKeys) -> Replacement | None:
    """Return what a pass that has seen all there is replaces; None when that is uncertain, and all stays as it is.

    Where a job is the only one that brings a resource, and always by the same args, all that the run has not seen is
    held by a former key, or is gone. Where others bring it too, what the run has seen under another id is replaced.
    """
    keeping = [state for state in writers if state.persist]
    read = [Rekeying.from_json(state.rekeying) for state in keeping if state.rekeying is not None]
    held = locked.held_keys(ended)
    if held is None or len(read) < len(keeping) or not any(state.counters.fetched for state in keeping):
        return None
    keys = group_keys((ended.resource, one.key) for one in read)[ended.resource]
    former = [key for key in held["keys"] if key not in keys]
    if missing := [key for key in keys if key not in held["keys"]]:
        # Another run has replaced what this one has brought so far: the next one has to do it again.
        locked.replace_keys(ended, [*held["keys"], *missing])
        return None
    expected = [key.to_json() for key in read[0].former]
    if any(key not in expected for key in former):
        # Another run has begun to bring records by another key still.
        return None
    is_alone = not (held["is_shared"] or held["has_others"])
    return Replacement(
        ended=replace(ended, replaced_only=not is_alone),
        keys=keys,
        held_keys=held["keys"],
        is_shared=held["is_shared"],
        shown=f"id_path {', '.join(map(str, read[0].former))} is {read[0].key} by now",
    )


def finish(replacement: Replacement, writer: ResourceState, count: int, locked: LockedKeys) -> None:
    """Note which keys are left once the former ones' records are deleted."""
    ended = replacement.ended
    has_more = replacement.is_shared and (ended.webhook_id is not None or locked.has_old_records(ended))
    locked.replace_keys(ended, replacement.held_keys if has_more else replacement.keys)
    if count:
        message = f"{replacement.shown}: the records that were held by it were replaced"
        locked.warn(writer.id, PageWarning("rekeyed", message, count=count))


def refuse(writer: ResourceState, locked: LockedKeys) -> None:
    """Warn that records stay under their former ids, beside what the run has brought."""
    message = (
        "the records' id_path has changed: they are held twice until a run that sees all of them, without an error and "
        "without previous_run_date, replaces those under the former ids"
    )
    locked.warn(writer.id, PageWarning("former_key", message))
