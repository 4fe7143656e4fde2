"""Warnings about the ids of records: there are none, or several records have the same."""

from collections.abc import Iterator, Sequence
from typing import Final

from app.engine.config.reader import name_type
from app.engine.jobs.items import ResourceItem
from app.engine.jobs.planning import RunPlan
from app.engine.json_types import JSON
from app.engine.paths import UNDEFINED, lookup
from app.engine.records.keys import RecordKey
from app.engine.records.outcomes import PageWarning
from app.engine.records.rows import make_row, read_id

NO_ID: Final = "no_id"
COLLISION: Final = "id_collision"

_MOST_GUESSES: Final = 5
_USUAL_NAMES: Final = frozenset({"id", "key", "uuid", "guid", "uid", "gid", "oid", "pk", "sid", "slug", "ts"})


def has_ids(records: Sequence[JSON], key: RecordKey) -> bool:
    """Whether any of the records has an id, or needs none; usually the first does."""
    return any(not _lacks_id(record, key) for record in records)


def warn_of_missing_ids(records: Sequence[JSON], key: RecordKey, *, count: int) -> PageWarning:
    """Warn of records that are identified by their content, by the first of them."""
    first = next((record for record in records if _lacks_id(record, key)), None)
    consequence = "they are identified by their content: one that changes is kept as another record"
    return PageWarning(NO_ID, f"records without an id: {explain_missing_id(first, key)}; {consequence}", count=count)


def explain_missing_id(record: JSON, key: RecordKey) -> str:
    """Explain what a record has instead of an id, and which of its fields look like one."""
    if not isinstance(record, dict):
        return f"expected objects with the id at {key}, found {name_type(record)}"
    faults = [f"'{'.'.join(part)}' is {_describe_value(lookup(record, part))}" for part in key.parts]
    bad = [fault for fault, part in zip(faults, key.parts, strict=True) if not _is_good(lookup(record, part))]
    guesses = ", ".join(f"'{name}'" for name in list(_guess_ids(record, key))[:_MOST_GUESSES])
    hint = f"fields that look like ids: {guesses}" if guesses else "no other field looks like an id"
    return f"id_path {key}: {' and '.join(bad)} ({hint})"


def may_collide(item: ResourceItem, plan: RunPlan) -> bool:
    """Whether several requests of a run bring an item's records, and nothing else keeps records of its resource."""
    origin = next(one for one in (item, *plan.ancestors_of(item.name)) if one.is_request)
    is_repeated = origin.depends_on is not None or origin.loop_on is not None or origin.recursion is not None
    return is_repeated and not is_shared(item, plan)


def is_shared(item: ResourceItem, plan: RunPlan) -> bool:
    """Whether several items of a run keep records of one resource, such as a list and its children.

    Each then overwrites what the other has written.
    """
    return any(one.persist and one.resource == item.resource for one in plan.order if one.name != item.name)


def count_collisions(records: Sequence[JSON], key: RecordKey, origins: Sequence[tuple[int, int]]) -> int:
    """Count records that take the place of one with the same id, another content and another origin.

    ``origins`` are the positions at which the records of another origin begin, each with that origin.
    """
    seen: dict[str, tuple[int, bytes]] = {}
    count = 0
    for origin, record in _pair_with_origins(records, origins):
        row = make_row(record, key)
        before = seen.get(row.remote_id)
        if before is not None and before[0] != origin and before[1] != row.content_hash:
            count += 1
        seen[row.remote_id] = (origin, row.content_hash)
    return count


def warn_of_collisions(key: RecordKey, count: int) -> PageWarning:
    """Warn of records of several requests that have one id and another content."""
    message = (
        f"records have come under ids (id_path {key}) that other requests of this run have given with another content; "
        "the last one is kept. Either ids are unique per parent only: include_from_parent, or an id_path of several "
        "paths, keeps them apart. Or the records have changed between the requests"
    )
    return PageWarning(COLLISION, message, count=count)


def _lacks_id(record: JSON, key: RecordKey) -> bool:
    """Whether a record is identified by its content instead of an id; a text or a number is both."""
    return isinstance(record, dict | list) and read_id(record, key) is None


def _pair_with_origins(records: Sequence[JSON], origins: Sequence[tuple[int, int]]) -> Iterator[tuple[int, JSON]]:
    ends = [start for start, _ in origins[1:]] + [len(records)]
    for (start, origin), end in zip(origins, ends, strict=True):
        for record in records[start:end]:
            yield origin, record


def _guess_ids(record: dict[str, JSON], key: RecordKey) -> Iterator[str]:
    used = {part[0] for part in key.parts if len(part) == 1}
    for name, value in record.items():
        plain = name.strip("_").lower()
        is_named_so = plain in _USUAL_NAMES or plain.endswith(("_id", "uuid")) or name.endswith(("Id", "ID"))
        if is_named_so and name not in used and _is_good(value):
            yield name


def _is_good(value: JSON) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool) and value != ""


def _describe_value(value: JSON) -> str:
    if value is UNDEFINED:
        return "missing"
    return "null" if value is None else "empty" if value == "" else name_type(value)
