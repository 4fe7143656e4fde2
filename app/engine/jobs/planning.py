"""Plan a run: which resources begin, which follow which, and what of a parent its children need."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.engine.jobs.items import NodeKind, ResourceItem
from app.engine.paths import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """The tree of a run's resources."""

    order: Sequence[ResourceItem]
    """Parents before their children."""
    ancestors: Mapping[str, Sequence[ResourceItem]]
    """The parent first, then its parent, and so on."""
    children: Mapping[str, Sequence[ResourceItem]]
    kept: Mapping[str, frozenset[Path] | None]
    decide_deletions: frozenset[str] = frozenset()
    """The names of items whose lists, or those of a descendant, show which records have vanished."""

    @property
    def roots(self) -> Sequence[ResourceItem]:
        """The resources that depend on nothing."""
        return [item for item in self.order if item.depends_on is None]

    def children_of(self, name: str) -> Sequence[ResourceItem]:
        """The resources that are called once per object of this one."""
        return self.children.get(name, ())

    def ancestors_of(self, name: str) -> Sequence[ResourceItem]:
        """The parent, its parent, and so on."""
        return self.ancestors[name]

    def kept_fields(self, name: str) -> frozenset[Path] | None:
        """The paths inside an object of this resource that its descendants read; None is the whole object."""
        return self.kept.get(name, frozenset())


def plan(items: Sequence[ResourceItem]) -> RunPlan:
    """Plan valid items (definition.parse_resources)."""
    children: dict[str, list[ResourceItem]] = {}
    for item in items:
        if item.depends_on is not None:
            children.setdefault(item.depends_on, []).append(item)
    order: list[ResourceItem] = []
    ancestors: dict[str, Sequence[ResourceItem]] = {}
    waiting = [item for item in reversed(items) if item.depends_on is None]
    while waiting:
        item = waiting.pop()
        order.append(item)
        ancestors.setdefault(item.name, ())
        for child in reversed(children.get(item.name, [])):
            ancestors[child.name] = (item, *ancestors[item.name])
            waiting.append(child)
    kept = {item.name: _find_kept_fields(item, children) for item in items}
    tracked = [item for item in items if item.delete_tracking is not None]
    return RunPlan(
        order=order,
        ancestors=ancestors,
        children=children,
        kept=kept,
        decide_deletions=frozenset(step.name for item in tracked for step in (item, *ancestors[item.name])),
    )


def _find_kept_fields(item: ResourceItem, children: Mapping[str, Sequence[ResourceItem]]) -> frozenset[Path] | None:
    read: set[Path] = set()
    descendants = list(children.get(item.name, ()))
    while descendants:
        descendant = descendants.pop()
        reads_objects = descendant.kind is NodeKind.REQUEST or descendant.depends_on != item.name
        if descendant.expressions and reads_objects:
            # Which of its ancestors' fields an expression reads is not known.
            return None
        if descendant.kind is not NodeKind.SPOOL:
            descendants.extend(children.get(descendant.name, ()))
        for reference in descendant.references | _list_recursion_paths(descendant):
            read |= {reference[len(at) :] for at in item.binding_paths if reference[: len(at)] == at}
    return None if () in read else frozenset(read)


def _list_recursion_paths(item: ResourceItem) -> frozenset[Path]:
    return item.recursion.references if item.recursion is not None else frozenset()
