"""The items of a sync job's flat list (docs/wire.md A2) as values, and the tree that they are.

A tree has a parent for each item but its roots, no cycles, and items that read what their ancestors have.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from enum import StrEnum

from app.engine.errors import Failure
from app.engine.jsonata.expressions import Expression
from app.engine.paths import Path
from app.engine.templating.placeholders import Template


class DeleteTracking(StrEnum):
    """What becomes of records that have vanished upstream."""

    SOFT = "soft"
    """A tombstone for good."""
    HARD = "hard"
    """A tombstone, removed once its retention has passed."""


class NodeKind(StrEnum):
    """What an item of the flat list does."""

    REQUEST = "request"
    """Requests the upstream."""
    TRANSFORM = "transform"
    """Makes other records of each batch of its parent's."""
    SPOOL = "spool"
    """Gathers all batches of its parent and passes them on as one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recursion:
    """For which records of a request it is repeated, and with what."""

    condition: Template
    """Resolves to true for those."""
    id: Template | None
    """Replaces the request's."""
    query: Template | None
    """Merged over the request's."""

    @property
    def references(self) -> frozenset[Path]:
        """Every path that its placeholders read; those of the record itself are among them."""
        templates = [template for template in (self.condition, self.id, self.query) if template is not None]
        return frozenset(path for template in templates for path in template.references)


@dataclass(frozen=True, slots=True)
class IncludedField:
    """A field that an item's records have from what their request was made for."""

    name: str
    """Its name in the record; empty until the item's parent is known, when none was given."""
    path: Path
    """Where its value is: in the parent's object, or from the scope's root on once the parent is known."""
    is_of_parent: bool = True
    """The path begins at the parent's object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceItem:
    """One resource of a job: what to call, once or for each of something."""

    name: str
    """What others depend on and what stats are kept under; the resource unless it was given one."""
    resource: str
    method: str
    id: Template | None
    query: Template | None
    body: Template | None
    loop_on: Path | None
    """The array whose elements the request is repeated for; inside, this path is the element."""
    depends_on: str | None
    """The parent's name."""
    persist: bool
    position: int
    delete_tracking: DeleteTracking | None = None
    """What becomes of records that a complete pass did not see; None keeps them."""
    kind: NodeKind = NodeKind.REQUEST
    expression: Expression | None = None
    """A transform's, or the expression of a request's query."""
    body_expression: Expression | None = None
    """The expression of a request's body."""
    recursion: Recursion | None = None
    included: tuple[IncludedField, ...] = ()
    """What its records have from their parents, those of the parent's own included first; it is part of their ids."""
    deleted_when: Expression | None = None
    """True of a record that is deleted upstream; it sees nothing but the record."""

    @property
    def templates(self) -> Sequence[Template]:
        """Every template of the item."""
        return [template for template in (self.id, self.query, self.body) if template is not None]

    @property
    def expressions(self) -> Sequence[Expression]:
        """Every expression of the item; which fields of objects one reads is not known."""
        return [one for one in (self.expression, self.body_expression) if one is not None]

    @property
    def references(self) -> frozenset[Path]:
        """Every path that its placeholders and its loop read."""
        paths = frozenset(path for template in self.templates for path in template.references)
        if self.is_request:
            # The records of a batch have their fields already.
            paths |= {field.path for field in self.included if not field.is_of_parent}
        return paths | {self.loop_on} if self.loop_on else paths

    @property
    def is_request(self) -> bool:
        """Whether the item requests the upstream; others work on their parent's records."""
        return self.kind is NodeKind.REQUEST

    @property
    def binding_paths(self) -> frozenset[Path]:
        """Where its children find an object of it: under its resource, and under its name."""
        return frozenset({("resources", *self.resource.split("/")), ("resources", self.name)})


def build_tree(items: Sequence[ResourceItem], path: str) -> tuple[list[ResourceItem], list[Failure]]:
    """Point every item at its parent's name; return also what keeps the items from being a tree."""
    failures = _check_names(items, path)
    parents: dict[int, str | None] = {}
    for item in items:
        try:
            parents[item.position] = _find_parent_name(item, items)
        except LookupError as error:
            parents[item.position] = None
            failures.append(Failure(f"{path}.{item.position}.depends_on", str(error.args[0])))
    tree = [replace(item, depends_on=parents[item.position]) for item in items]
    failures += _check_cycles(tree, path)
    return (tree, failures) if failures else _inherit_resources(tree, path)


def _inherit_resources(items: Sequence[ResourceItem], path: str) -> tuple[list[ResourceItem], list[Failure]]:
    """Return transforms and spools their parent's resource; two of a family can not both be kept under one."""
    by_name = {item.name: item for item in items}
    failures: list[Failure] = []
    for item in items:
        if item.is_request or item.depends_on is None:
            continue
        line = [item, *_list_parents(item, by_name)]
        resource = next(one.resource for one in line if one.resource)
        by_name[item.name] = replace(item, resource=resource)
        if item.persist and any(one.persist and one.resource == resource for one in line[1:]):
            message = f"a parent's records are kept as '{resource}' already: give this item a 'resource' of its own"
            failures.append(Failure(f"{path}.{item.position}.persist", message))
    return list(by_name.values()), failures


def _list_parents(item: ResourceItem, by_name: Mapping[str, ResourceItem]) -> Iterator[ResourceItem]:
    """Yield an item's parent, its parent, and so on."""
    parent = item.depends_on
    while parent is not None:
        yield by_name[parent]
        parent = by_name[parent].depends_on


def _find_parent_name(item: ResourceItem, items: Sequence[ResourceItem]) -> str | None:
    """Find the parent by its name, else by its resource; raise LookupError that says what is wrong."""
    wanted = item.depends_on
    if wanted is None or any(other.name == wanted for other in items):
        return wanted
    named = [other.name for other in items if other.resource == wanted and other is not item]
    if len(named) == 1:
        return named[0]
    if named:
        raise LookupError(f"'{wanted}' is the resource of several items: expected one of {_show_names(named)}")
    others = [other.name for other in items if other is not item and other.name]
    expected = f"expected one of {_show_names(others)}" if others else "there is no other"
    raise LookupError(f"'{wanted}' names no other resource of this job: {expected}")


def _show_names(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names[:10]) + (", …" if len(names) > 10 else "")


def _check_names(items: Sequence[ResourceItem], path: str) -> list[Failure]:
    failures: list[Failure] = []
    first: dict[str, int] = {}
    for item in items:
        if item.name and item.name in first:
            message = f"is called '{item.name}' like {path}.{first[item.name]}: give one of them a 'name' of its own"
            failures.append(Failure(f"{path}.{item.position}", message))
        first.setdefault(item.name, item.position)
    return failures


def _check_cycles(items: Sequence[ResourceItem], path: str) -> list[Failure]:
    """Follow every item to its root; name each cycle once."""
    by_name = {item.name: item for item in items}
    failures: list[Failure] = []
    settled: set[str] = set()
    for item in items:
        trail: list[str] = []
        name: str | None = item.name
        while name is not None and name not in settled:
            settled.add(name)
            trail.append(name)
            name = by_name[name].depends_on
        if name in trail:
            cycle = " → ".join([*trail[trail.index(name) :], name])
            failures.append(Failure(f"{path}.{by_name[name].position}.depends_on", f"depends on itself: {cycle}"))
    return failures


def check_references(items: Sequence[ResourceItem], path: str) -> tuple[list[ResourceItem], list[Failure]]:
    """Check that placeholders read the objects of ancestors only; and remove loops over one such object."""
    by_name = {item.name: item for item in items}
    failures: list[Failure] = []
    checked: list[ResourceItem] = []
    for item in items:
        bound = _list_bound_paths(item, by_name)
        seen_by_recursion = bound | item.binding_paths
        wrong = [reference for reference in item.references if not _is_bound(reference, bound)]
        if item.recursion is not None:
            wrong += [one for one in item.recursion.references if not _is_bound(one, seen_by_recursion)]
        for reference in sorted(set(wrong)):
            message = f"reads '{'.'.join(reference)}', which is no resource that '{item.name}' depends on"
            failures.append(Failure(f"{path}.{item.position}", message))
        # The request is made once per object already, and that path is the object.
        checked.append(replace(item, loop_on=None) if item.loop_on in bound else item)
    return checked, failures


def _is_bound(reference: Path, bound: Set[Path]) -> bool:
    return reference[0] != "resources" or any(reference[: len(at)] == at for at in bound)


def _list_bound_paths(item: ResourceItem, by_name: Mapping[str, ResourceItem]) -> set[Path]:
    """Find the paths of ancestors' objects; an ancestor whose batch a transform has replaced has none."""
    bound: set[Path] = set()
    hides_parent = False
    for ancestor in _list_parents(item, by_name):
        if not hides_parent:
            bound |= ancestor.binding_paths
        if ancestor.kind is NodeKind.SPOOL:
            break
        hides_parent = ancestor.kind is NodeKind.TRANSFORM
    return bound
