"""What becomes of held records when their resource gets another key: a run that has seen all there is replaces them.

Per account, resource and job it is kept by which keys records are held. A run that begins to bring them by another one
keeps that key to its end, whatever becomes of the config meanwhile, and sees to it that each of its records is known by
its former id too.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.engine.jobs.items import ResourceItem
from app.engine.json_types import JsonObject
from app.engine.records.keys import RecordKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Rekeying:
    """The key that one item's records have in a run, in the place of others."""

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
    """By which keys records of a job are held."""

    keys: Sequence[JsonObject]
    is_noted: bool
    """It is known already that runs with this one's args bring them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyNote:
    """What is to be noted of a resource's keys as a run begins."""

    resource: str
    keys: Sequence[JsonObject]
    """By which the run will bring its records."""
    rekeyings: Mapping[str, Rekeying]
    """By item, where they take the place of others."""


def keys_of(resource_keys: Iterable[tuple[str, RecordKey]]) -> dict[str, list[JsonObject]]:
    """Gather the keys of each resource, each once, in an order that does not depend on that of the items."""
    found: dict[str, list[JsonObject]] = {}
    for resource, key in resource_keys:
        code = key.to_json()
        if code not in found.setdefault(resource, []):
            found[resource].append(code)
    return {resource: sorted(codes, key=str) for resource, codes in found.items()}


def notes(writers: Sequence[tuple[ResourceItem, RecordKey]], held: Mapping[str, HeldKeys]) -> list[KeyNote]:
    """Return what a run that is about to begin must note; nothing, when it brings its records by the keys they have."""
    found: list[KeyNote] = []
    for resource, keys in keys_of((item.resource, key) for item, key in writers).items():
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
