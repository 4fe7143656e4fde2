"""The lower bounds of increments: each resource of a run has its own, which an unread page holds back."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from app.engine.jobs.items import ResourceItem


@dataclass(frozen=True, slots=True, kw_only=True)
class LowerBounds:
    """The lower bounds of a run and each of its resources; None requests everything."""

    run: datetime | None = None
    """The earliest of them."""
    own: Mapping[str, datetime | None] = field(default_factory=dict)
    """By name, of the resources with a later bound than the run."""

    @classmethod
    def combine(cls, run: datetime | None, own: Mapping[str, datetime | None]) -> "LowerBounds":
        """Combine the bounds of a run and its resources, without those that equal the run's own."""
        return cls(run=run, own={name: bound for name, bound in own.items() if bound not in (None, run)})

    def find(self, name: str) -> datetime | None:
        """Return the lower bound of a resource."""
        return self.own.get(name) or self.run


def find_held(parents: Mapping[str, str | None], unread: Collection[str]) -> frozenset[str]:
    """Return the resources whose next increment begins where this one did, since a page of their tree was not read.

    ``parents`` are by name, parents before their children. All ancestors of an unread page are requested again, and
    all its descendants.
    """
    names = set(unread)
    for name, parent in parents.items():
        names |= {name} if parent in names else set()
    for name in reversed(list(parents)):
        parent = parents[name]
        names |= {parent} if name in names and parent is not None else set()
    return frozenset(names)


def find_last_descendants(items: Sequence[ResourceItem]) -> Sequence[int]:
    """Return the position of the last descendant of each item, or its own, of a plan's order."""
    last = list(range(len(items)))
    positions = {item.name: position for position, item in enumerate(items)}
    for position, item in reversed(list(enumerate(items))):
        if item.depends_on is not None:
            parent = positions[item.depends_on]
            last[parent] = max(last[parent], last[position])
    return last
