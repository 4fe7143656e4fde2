"""What has changed from one state of a schema to the next: its history, and what is announced."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.engine.json_types import JsonObject
from app.engine.schemas.columns import Column, ResourceSchema


class ChangeKind(StrEnum):
    """What became of a column, or of the schema."""

    ADDED = "added"
    IGNORED = "ignored"
    SHOWN = "shown"
    """It is no longer ignored."""
    POLICY = "policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaChange:
    """One entry of a schema's history."""

    kind: ChangeKind
    column: str | None = None
    """Its name; None of a change of the policy."""
    details: JsonObject


def find_changes(old: ResourceSchema, new: ResourceSchema) -> Sequence[SchemaChange]:
    """Return what differs, but for when columns were last seen."""
    changes = [_describe_added(column) for column in new.columns[len(old.columns) :]]
    for before, after in zip(old.columns, new.columns, strict=False):
        if before.is_ignored != after.is_ignored:
            kind = ChangeKind.IGNORED if after.is_ignored else ChangeKind.SHOWN
            changes.append(SchemaChange(kind=kind, column=after.name, details={}))
    if old.policy is not new.policy:
        details: JsonObject = {"from": old.policy.value, "to": new.policy.value}
        changes.append(SchemaChange(kind=ChangeKind.POLICY, details=details))
    return changes


def _describe_added(column: Column) -> SchemaChange:
    details: JsonObject = {"key": column.key, "type": column.type.value, "is_declared": column.is_declared}
    return SchemaChange(kind=ChangeKind.ADDED, column=column.name, details=details)


def show_change(change: SchemaChange) -> JsonObject:
    """Return a change as answers and events show it."""
    return {"change": change.kind.value, "column": change.column, **change.details}
