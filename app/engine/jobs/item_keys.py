"""The keys that identify the records of a job's items, and what happens to held records when a key changes.

Which keys records are held by is stored per account, resource and job. A run that starts to write them by another key
keeps it to its end, even if the config changes meanwhile, and identifies each record by its former id too. Once it has
seen all records, they replace those that are held by the former key.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.engine.integrations.config import IntegrationConfig
from app.engine.jobs import definition, planning
from app.engine.jobs.items import NodeKind, ResourceItem
from app.engine.jobs.planning import RunPlan
from app.engine.json_types import JSON, JsonObject
from app.engine.record_errors import SourceError
from app.engine.records.keys import BY_ID, RecordKey
from app.engine.unified.model import parse_unified_name


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
