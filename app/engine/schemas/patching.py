"""What its owner changes of a schema: names, types, which columns there are; no column is changed where it is used."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from app.engine.errors import Failure
from app.engine.json_types import JSON, JsonObject
from app.engine.schemas.columns import MAX_COLUMNS, Column, ColumnType, ResourceSchema, SchemaPolicy
from app.engine.schemas.declaring import append_declared
from app.engine.schemas.names import fold_name, is_name

COLUMN_KEYS: Final = ("name", "new_name", "type", "is_ignored")
_SHOWN_KEYS: Final = ("key", "is_declared", "first_seen_at", "last_seen_at")
"""What a column is shown with, and what may be sent back with it."""
_TYPES: Final = tuple(kind.value for kind in ColumnType)


def find_failures(schema: ResourceSchema, changes: JsonObject) -> list[Failure]:
    """Return what is wrong with changes: ``{policy, columns: [{name, new_name, type, is_ignored}]}``."""
    asked = changes.get("columns") or []
    failures: list[Failure] = []
    known = {column.name for column in schema.columns}
    taken = set(known)
    for position, one in enumerate(asked):
        at = f"columns.{position}"
        if not isinstance(one, dict):
            failures.append(Failure(at, "expected an object"))
            continue
        failures += _find_column_failures(one, at, known, taken)
        new_name = one.get("new_name")
        taken |= {new_name} if isinstance(new_name, str) else set()
    added = sum(1 for one in asked if isinstance(one, dict) and ("new_name" in one or "type" in one))
    if added and len(schema.columns) + added > MAX_COLUMNS:
        failures.append(Failure("columns", f"a resource has {MAX_COLUMNS} columns at most"))
    return failures


def patch(schema: ResourceSchema, changes: JsonObject, at: datetime) -> ResourceSchema:
    """Return the schema with changes that have no failures.

    A new name or another type is a further column, since views, grants and models of others may stand on the present
    one: that stays where it was made, and a renamed one is made nowhere else.
    """
    if "policy" in changes:
        schema = replace(schema, policy=SchemaPolicy(changes["policy"]))
    for one in changes.get("columns") or ():
        schema = _patch_column(schema, one, at)
    return schema


def _patch_column(schema: ResourceSchema, one: Mapping[str, JSON], at: datetime) -> ResourceSchema:
    found = next(column for column in schema.columns if column.name == one["name"])
    new_name, kind = one.get("new_name"), ColumnType(one.get("type") or found.type)
    is_ignored = one.get("is_ignored")
    # A column that is sent back as it was shown pins nothing.
    is_pinned = "type" in one and one.get("is_declared") is not False and not found.is_declared
    if kind is not found.type or is_pinned:
        has = any(c.key == found.key and c.type is kind and c.is_declared for c in schema.columns)
        if new_name is not None or not has:
            schema = append_declared(schema, found.key, kind, at, name=new_name)
    elif new_name is not None:
        renamed = replace(found, name=new_name, is_ignored=False, first_seen_at=at)
        schema = replace(schema, columns=(*schema.columns, renamed))
        is_ignored = True if is_ignored is None else is_ignored
    return schema if is_ignored is None else _set_ignored(schema, found, is_ignored=is_ignored)


def _set_ignored(schema: ResourceSchema, found: Column, *, is_ignored: bool) -> ResourceSchema:
    columns = (
        replace(column, is_ignored=is_ignored) if column.name == found.name else column for column in schema.columns
    )
    return replace(schema, columns=tuple(columns))


def _find_column_failures(one: Mapping[str, JSON], at: str, known: set[str], taken: set[str]) -> list[Failure]:
    failures = [
        Failure(f"{at}.{key}", f"is not known here: expected {', '.join(COLUMN_KEYS)}")
        for key in sorted(one.keys() - {*COLUMN_KEYS, *_SHOWN_KEYS})
    ]
    if not isinstance(one.get("name"), str) or one["name"] not in known:
        failures.append(Failure(f"{at}.name", "expected the name of a column of this schema"))
    if "new_name" in one:
        failures += _find_name_failures(one["new_name"], f"{at}.new_name", taken)
    if "type" in one and one["type"] not in _TYPES:
        failures.append(Failure(f"{at}.type", f"expected one of {', '.join(_TYPES)}"))
    if "is_ignored" in one and not isinstance(one["is_ignored"], bool):
        failures.append(Failure(f"{at}.is_ignored", "expected true or false"))
    return failures


def _find_name_failures(name: JSON, at: str, taken: set[str]) -> list[Failure]:
    if not isinstance(name, str) or not is_name(name):
        advice = f", such as {fold_name(name)}" if isinstance(name, str) and name else ""
        return [Failure(at, f"expected a name of a-z, 0-9 and _ that SQL takes without quotes{advice}")]
    return [Failure(at, f"a column named '{name}' is there already")] if name in taken else []
