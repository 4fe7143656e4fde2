"""Build a tree of a job's items: find parents, refuse cycles, and check what each item may read."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace

from app.engine.errors import Failure
from app.engine.jobs.items import NodeKind, ResourceItem
from app.engine.paths import Path


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
