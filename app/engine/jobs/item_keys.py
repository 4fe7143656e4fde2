"""The keys that identify records: what happens when a key changes, and warnings where ids are missing or collide.

Which keys records are held by is stored per account, resource and job. A run that starts to write them by another key
keeps it to its end, even if the config changes meanwhile, and identifies each record by its former id too. Once it has
seen all records, they replace those that are held by the former key.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.engine.config.reader import name_type
from app.engine.integrations.config import IntegrationConfig
from app.engine.jobs import definition, planning
from app.engine.jobs.items import NodeKind, ResourceItem
from app.engine.jobs.planning import RunPlan
from app.engine.json_types import JSON, JsonObject
from app.engine.paths import UNDEFINED, lookup
from app.engine.record_errors import SourceError
from app.engine.records.keys import BY_ID, RecordKey
from app.engine.records.outcomes import PageWarning
from app.engine.records.rows import make_row, read_id
from app.engine.unified.model import parse_unified_name

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Rekeying:
    """The key that one item's records have in a run, instead of others."""

    key: RecordKey
    former: tuple[RecordKey, ...]

    def to_json(self) -> JsonObject:
        """Write what a run keeps."""
        return {"key": self.key.to_json(), "former": [key.to_json() for key in self.former]}

    @classmethod
    def from_json(cls, value: JsonObject) -> "Rekeying":
        """Read what a run keeps."""
        former = tuple(RecordKey.from_json(key) for key in value["former"])
        return cls(key=RecordKey.from_json(value["key"]), former=former)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldKeys:
    """The keys by which records of a job are held."""

    keys: Sequence[JsonObject]
    is_noted: bool
    """It is stored that runs with this one's args write them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyNote:
    """The keys of a resource that are stored when a run starts."""

    resource: str
    keys: Sequence[JsonObject]
    """By which the run writes its records."""
    rekeyings: Mapping[str, Rekeying]
    """By item, where they replace others."""


def group_keys(resource_keys: Iterable[tuple[str, RecordKey]]) -> dict[str, list[JsonObject]]:
    """Gather the keys of each resource, each once, in an order that does not depend on that of the items."""
    found: dict[str, list[JsonObject]] = {}
    for resource, key in resource_keys:
        code = key.to_json()
        if code not in found.setdefault(resource, []):
            found[resource].append(code)
    return {resource: sorted(codes, key=str) for resource, codes in found.items()}


def plan_key_notes(writers: Sequence[tuple[ResourceItem, RecordKey]], held: Mapping[str, HeldKeys]) -> list[KeyNote]:
    """Return the keys that a run must store before it starts; none when its records are held by these keys already."""
    found: list[KeyNote] = []
    for resource, keys in group_keys((item.resource, key) for item, key in writers).items():
        known = held.get(resource)
        former = [code for code in known.keys if code not in keys] if known is not None else []
        is_new = known is None or any(code not in known.keys for code in keys) or not known.is_noted
        if not (former or is_new):
            continue
        read = tuple(RecordKey.from_json(code) for code in former)
        rekeyings = {
            item.name: Rekeying(key=key, former=read) for item, key in writers if item.resource == resource and former
        }
        found.append(KeyNote(resource=resource, keys=keys, rekeyings=rekeyings))
    return found


def find_key(item: ResourceItem, plan: RunPlan, config: IntegrationConfig) -> RecordKey:
    """Return the key of an item's records; a transform has that of its origin.

    Raises SourceError for a method that the integration does not have.
    """
    line = [item, *plan.ancestors_of(item.name)]
    place = next(position for position, one in enumerate(line) if one.is_request)
    origin = line[place]
    own = BY_ID if parse_unified_name(origin.resource) else config.find_method(origin.resource, origin.method).key
    is_mixed = any(one.kind is NodeKind.SPOOL for one in line[:place])
    key = own.add_parents((field.name for field in item.included), may_lack_them=is_mixed)
    return key if item.is_request else key.make_undeclared()


def list_job_keys(resources: JSON, config: IntegrationConfig) -> dict[str, list[JsonObject]]:
    """Return the keys by which a job's records are kept, by resource; a faulty job keeps none."""
    items, faults = definition.parse_resources(resources)
    return {} if faults else group_keys(_list_kept_keys(items, config))


def _list_kept_keys(items: Sequence[ResourceItem], config: IntegrationConfig) -> list[tuple[str, RecordKey]]:
    plan = planning.plan(items)
    found: list[tuple[str, RecordKey]] = []
    for item in items:
        try:
            found += [(item.resource, find_key(item, plan, config))] if item.persist else []
        except SourceError:
            # A run of it would fail; it keeps nothing by this key.
            continue
    return found
