"""The items of a sync job's flat list (wire.md A2), as values."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

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
