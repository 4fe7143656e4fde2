"""Queries that stand written in an address: a name may come twice, or without a value, and what is encoded stays so."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote_plus

from app.engine.integrations.request_formats import ArrayFormat
from app.engine.json_types import JSON, JsonObject
from app.engine.templating import request_paths
from app.sources.request_parts import bodies


@dataclass(frozen=True, slots=True)
class WrittenQuery:
    """The pairs of one address, in their order."""

    pairs: tuple[tuple[str, str], ...] = ()
    """The decoded name of each, and the pair as it is sent."""

    @classmethod
    def read(cls, text: str) -> "WrittenQuery":
        """Read what stands behind an address's question mark."""
        pairs = (pair for pair in text.split("&") if pair)
        return cls(tuple((unquote_plus(pair.partition("=")[0]), request_paths.encode_address(pair)) for pair in pairs))

    def without(self, names: Collection[str]) -> "WrittenQuery":
        """Return what is left when these names are replaced."""
        return WrittenQuery(tuple(pair for pair in self.pairs if pair[0] not in names))

    def values(self) -> JsonObject:
        """Return the values by their names; a name that comes twice has an array."""
        values: JsonObject = {}
        for name, pair in self.pairs:
            value = unquote_plus(pair.partition("=")[2])
            if name not in values:
                values[name] = value
            elif isinstance(values[name], list):
                values[name].append(value)
            else:
                values[name] = [values[name], value]
        return values


def query_text(query: Mapping[str, JSON], written: Sequence[WrittenQuery], arrays: ArrayFormat) -> str:
    """Write a query; what of it stands in ``written`` is sent as it is there."""
    if not any(one.pairs for one in written):
        return bodies.query_text(query, arrays)
    return "&".join(_texts(query, written, arrays))


def _texts(query: Mapping[str, JSON], written: Sequence[WrittenQuery], arrays: ArrayFormat) -> Iterator[str]:
    owners = {name: one for one in written for name, _ in one.pairs}
    told: set[int] = set()
    for name, value in query.items():
        owner = owners.get(name)
        if owner is None:
            text = bodies.query_text({name: value}, arrays)
            yield from [text] if text else []
        elif id(owner) not in told:
            told.add(id(owner))
            yield from (pair for one, pair in owner.pairs if one in query)
