"""Parts of a job over a simulated upstream: one list, lists of children, or a tree; before and after a change of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from hypothesis import strategies as st

from app.engine.json_types import JsonObject
from tests.support.listings import configs, drawn
from tests.support.listings.listing import Kind, Listing, honest
from tests.support.listings.reading import tells_the_truth
from tests.support.listings.reference import Reading, ReferenceReader
from tests.support.listings.site import Asked, Place, Site
from tests.support.workspace import child_of, listed

_NAMES: Final = tuple(f"r{number}" for number in range(1, 7))


@dataclass(kw_only=True)
class Outcome:
    """What should come of all lists of one resource."""

    records: set[str] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)
    unproven: int = 0
    requests: int = 0
    is_complete: bool = True
    """Each list was read to a proven end, and so were those of its parents."""

    def take(self, reading: Reading) -> None:
        """Add one list."""
        self.records |= set(reading.records)
        self.errors += [reading.error] if reading.error else []
        self.unproven += reading.error is None and not reading.is_proven
        self.requests += reading.requests
        self.is_complete &= reading.is_proven


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """Some lists that hang together, in two states of the upstream; ``shapes`` are those of its resources."""

    name: str
    shapes: Sequence[Listing]
    before: Mapping[Place, Listing]
    after: Mapping[Place, Listing]
    is_tree: bool = False

    @property
    def resources(self) -> list[str]:
        return [self.name, f"{self.name}c"][: len(self.shapes)]

    @property
    def methods(self) -> dict[str, JsonObject]:
        """Describe how each resource is listed."""
        named = zip(self.resources, self.shapes, strict=True)
        return {resource: configs.method(shape, f"/{resource}") for resource, shape in named}

    @property
    def items(self) -> list[JsonObject]:
        """Describe the job's items."""
        tracked = {"delete_tracking": "soft"}
        root = listed(self.name, **tracked, **(_recursion(self.name) if self.is_tree else {}))
        return [root, *(child_of(self.name, resource, **tracked) for resource in self.resources[1:])]

    @property
    def is_truthful(self) -> bool:
        """Whether the upstream tells no false fact."""
        return all(tells_the_truth(listing, tracks=True) for listing in self.after.values())

    def held(self) -> dict[str, set[str]]:
        """Return what the upstream holds in the later state and shows to who reads all of it."""
        found: dict[str, set[str]] = {resource: set() for resource in self.resources}
        owners: list[str | None] = [None]
        while owners:
            shown = self.after[f"/{self.name}", owners.pop()].ids
            found[self.name] |= set(shown)
            owners += [id for id in shown if (f"/{self.name}", id) in self.after]
        for resource in self.resources[1:]:
            found[resource] |= {id for owner in found[self.name] for id in self.after[f"/{resource}", owner].ids}
        return found

    def outcomes(self) -> dict[str, Outcome]:
        """Say what should come of each resource in the later state."""
        site = Site(self.after)
        found = {resource: Outcome() for resource in self.resources}
        root = found[self.name]
        owners = self._read(site, self.name, None, root)
        if self.is_tree:
            while owners:
                owners = self._read(site, self.name, owners.pop(0), root) + owners
        for resource in self.resources[1:]:
            for owner in owners:
                self._read(site, resource, owner, found[resource])
            found[resource].is_complete &= root.is_complete
        return found

    def _read(self, site: Site, resource: str, owner: str | None, outcome: Outcome) -> list[str]:
        """Read one list; return the records that others hang on."""
        shape = self.shapes[self.resources.index(resource)]
        first = Asked(
            path=f"/{resource}",
            query={} if owner is None else {"parent": owner},
            body={"of": "things"} if shape.kind is Kind.CURSOR_IN_BODY else None,
        )
        reader = ReferenceReader(configs.pagination(shape), site.answer, first, tracks=True, has_paged=True)
        reading = reader.read()
        outcome.take(reading)
        return [id for id in reading.records if not self.is_tree or (f"/{resource}", id) in site.lists]


@st.composite
def branches(draw: Any, name: str) -> Branch:
    """Draw one list, a family or a tree."""
    match draw(st.sampled_from(["list", "list", "family", "tree"])):
        case "family":
            return _family(draw, name)
        case "tree":
            return _tree(draw, name)
        case _:
            shape = draw(drawn.shapes())
            place = (f"/{name}", None)
            later = draw(drawn.listings(shape, _NAMES))
            return Branch(name=name, shapes=[shape], before={place: honest(later, _NAMES)}, after={place: later})


def _family(draw: Any, name: str) -> Branch:
    root, child = draw(drawn.shapes()), draw(drawn.shapes())
    # More than a page holds: a path to cursors that has led on once is never suspected of being wrong.
    parents = [f"p{number}" for number in range(1, 6)]
    later = honest(root, parents) if draw(st.booleans()) else draw(drawn.parents(root, parents))
    before: dict[Place, Listing] = {(f"/{name}", None): honest(root, parents)}
    after: dict[Place, Listing] = {(f"/{name}", None): later}
    for parent in parents:
        own = [f"{parent}-{each}" for each in _NAMES]
        before[f"/{name}c", parent] = honest(child, own)
        after[f"/{name}c", parent] = draw(drawn.listings(child, own))
    return Branch(name=name, shapes=[root, child], before=before, after=after)


def _tree(draw: Any, name: str) -> Branch:
    shape = draw(drawn.shapes())
    nodes: Mapping[str | None, Sequence[str]] = {None: _NAMES, "r1": ["r11", "r12"], "r4": ["r41"], "r11": ["r111"]}
    before = {(f"/{name}", node): honest(shape, held) for node, held in nodes.items()}
    after = {(f"/{name}", node): draw(drawn.parents(shape, held)) for node, held in nodes.items()}
    return Branch(name=name, shapes=[shape], before=before, after=after, is_tree=True)


def _recursion(name: str) -> JsonObject:
    repeated = {"query": {"parent": "{{resources." + name + ".id}}"}}
    query = {"parent": "{{args.top:undefined}}"}
    return {"query": query, "recurse": {"if": "{{resources." + name + ".open:bool}}", "config": repeated}}
