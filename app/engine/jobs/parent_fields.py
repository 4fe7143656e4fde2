"""Fields that records have from what their request was made for, so that ids which are unique per parent stay apart.

``"include_from_parent": ["id"]`` of the child ``lines`` of ``orders`` puts ``_orders_id`` into each line;
``{"order": "id", "state": "{{args.states}}"}`` names the fields, and takes a loop's value too.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from app.engine.config.reader import ConfigReader, show_value
from app.engine.errors import Failure
from app.engine.jobs.items import IncludedField, ResourceItem
from app.engine.json_types import JSON, JsonObject
from app.engine.known_keys.of_items import LONGEST_NAME
from app.engine.paths import UNDEFINED, lookup
from app.engine.records.keys import RecordKey
from app.engine.records.outcomes import PageWarning

INCLUDE: Final = "include_from_parent"
_WHOLE: Final = "value"
"""The key for a record that is no object, in the object that it becomes, if it is not its id path."""

_PLACEHOLDER: Final = re.compile(r"\{\{\s*((?:args|resources)(?:\.[\w\-/]+)+)\s*\}\}")
_OTHER_THAN_WORD: Final = re.compile(r"\W+")
_OF_BATCH: Final = "included"
"""Where a batch's element keeps the fields of its records."""


def read_included(reader: ConfigReader) -> tuple[IncludedField, ...]:
    """Read the fields as they are written, each once."""
    value = reader.value.get(INCLUDE)
    if value in (None, [], {}):
        return ()
    if isinstance(value, list):
        named = [("", str(position), path) for position, path in enumerate(value)]
    elif isinstance(value, dict):
        named = [(name, name, path) for name, path in value.items()]
    else:
        reader.report(INCLUDE, f"expected an array of paths, or an object of paths by name, found {show_value(value)}")
        return ()
    within = ConfigReader({key: path for _, key, path in named}, f"{reader.at}.{INCLUDE}", reader.failures)
    fields = [_read_field(within, name, key) for name, key, _ in named]
    return tuple(field for field in fields if field is not None)


def _read_field(within: ConfigReader, name: str, key: str) -> IncludedField | None:
    value = within.value[key]
    if len(name) > LONGEST_NAME:
        within.report("", f"expected names of at most {LONGEST_NAME} characters, found {len(name)}")
        return None
    if isinstance(value, str) and "{{" in value and name:
        found = _PLACEHOLDER.fullmatch(value.strip())
        if found is None:
            within.report(
                key, f"expected one placeholder of 'args' or 'resources' and no cast, found {show_value(value)}"
            )
            return None
        return IncludedField(name, tuple(found[1].split(".")), is_of_parent=False)
    if value in (None, ""):
        within.report(key, f"expected the path of a field of the parent, found {show_value(value)}")
        return None
    path = within.read_path(key)
    return IncludedField(name, path) if path is not None else None


def resolve_included(items: Sequence[ResourceItem], at: str) -> tuple[list[ResourceItem], list[Failure]]:
    """Resolve the fields of items whose parents are known: a child has those of its parent too, and before its own."""
    failures: list[Failure] = []
    made: dict[str, ResourceItem] = {}
    for item in _sort_parents_first(items):
        parent = made[item.depends_on] if item.depends_on is not None else None
        made[item.name] = _resolve_item(item, parent, f"{at}.{item.position}", failures)
    return [made[item.name] for item in items], failures


def _sort_parents_first(items: Sequence[ResourceItem]) -> list[ResourceItem]:
    children: dict[str | None, list[ResourceItem]] = {}
    for item in items:
        children.setdefault(item.depends_on, []).append(item)
    ordered = list(children.get(None, ()))
    for item in ordered:
        ordered.extend(children.get(item.name, ()))
    return ordered


def _resolve_item(item: ResourceItem, parent: ResourceItem | None, at: str, failures: list[Failure]) -> ResourceItem:
    if not item.is_request:
        # Its records are made of its parent's, and keep their fields.
        return replace(item, included=parent.included if parent is not None else ())
    if not item.included:
        return item
    if parent is None and any(field.is_of_parent for field in item.included):
        failures.append(Failure(f"{at}.{INCLUDE}", "needs 'depends_on': there is no parent to take fields from"))
        return item
    own = [_make_absolute(field, parent) for field in item.included]
    names = {field.name for field in own}
    inherited = [] if parent is None else [_inherit(field, parent) for field in parent.included]
    if len(names) < len(own) or names & {field.name for field in inherited}:
        message = 'expected another name for each field, those included: give them names, as in {"order_id": "id"}'
        failures.append(Failure(f"{at}.{INCLUDE}", message))
    return replace(item, included=(*inherited, *own))


def _make_absolute(field: IncludedField, parent: ResourceItem | None) -> IncludedField:
    if parent is None or not field.is_of_parent:
        return field
    name = field.name or "_" + "_".join(_OTHER_THAN_WORD.sub("_", part) for part in (parent.name, *field.path))
    return IncludedField(name, ("resources", parent.name, *field.path), is_of_parent=False)


def _inherit(field: IncludedField, parent: ResourceItem) -> IncludedField:
    return IncludedField(field.name, ("resources", parent.name, field.name), is_of_parent=False)


def read_values(item: ResourceItem, element: JsonObject, scope: JsonObject) -> JsonObject:
    """Return the fields that the records of an element have from its parents; what is not there is absent.

    ``scope`` is what the element's request sees. A batch brings the fields of the records that it is made of.
    """
    if not item.is_request:
        return dict(element.get(_OF_BATCH) or {})
    found = {field.name: lookup(scope, field.path) for field in item.included}
    return {name: value for name, value in found.items() if value is not UNDEFINED}


def keep_values(element: JsonObject, values: JsonObject) -> JsonObject:
    """Return a batch's element that keeps the fields which the batch's records have from their parents."""
    return {**element, _OF_BATCH: values} if values else element


def include_values(records: Sequence[JSON], values: JsonObject, key: RecordKey) -> list[JSON]:
    """Put fields into records; one that is no object, such as the id of something, becomes the id of one."""
    is_plain = len(key.paths) == 1 and len(key.paths[0]) == 1
    whole = key.paths[0][0] if is_plain else _WHOLE
    return [{**(record if isinstance(record, dict) else {whole: record}), **values} for record in records]


def warn_of_replaced(records: Sequence[JSON], values: JsonObject) -> list[PageWarning]:
    """Return a warning when records have fields of these names with other values, which are lost."""
    lost: dict[str, int] = {}
    for record in records:
        for name, value in values.items():
            if isinstance(record, dict) and record.get(name, value) != value:
                lost[name] = lost.get(name, 0) + 1
    if not lost:
        return []
    names = ", ".join(f"'{name}'" for name in lost)
    message = f"{INCLUDE} has replaced {names} of records that have such fields themselves: give it another name"
    return [PageWarning("replaced_field", message, count=sum(lost.values()))]
