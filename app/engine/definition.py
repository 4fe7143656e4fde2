"""A sync job's resources: the flat list of wire.md A2, checked whole and typed."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from app.engine import placeholders
from app.engine.config_reader import ConfigReader, shown
from app.engine.errors import Failure
from app.engine.json_types import JSON
from app.engine.paths import Path
from app.engine.placeholders import Template
from app.engine.unified_model import unified_name

_MAX_RESOURCES: Final = 1000
_MAX_NAME_LENGTH: Final = 200

_LOOP_PATH: Final = re.compile(r"[\w-]+(\.[\w-]+)*")
_SCOPE_ROOTS: Final = frozenset({"args", "resources", "context", "sync_job_run", "tenant_id", "previous_run_date"})
_NODE_TYPES_TO_COME: Final = frozenset({"spool", "transform"})


class DeleteTracking(StrEnum):
    """What becomes of records that have vanished upstream."""

    SOFT = "soft"
    """A tombstone for good."""
    HARD = "hard"
    """A tombstone, removed once its retention has passed."""


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

    @property
    def templates(self) -> Sequence[Template]:
        """Every template of the item."""
        return [template for template in (self.id, self.query, self.body) if template is not None]

    @property
    def references(self) -> frozenset[Path]:
        """Every path that its placeholders and its loop read."""
        paths = frozenset(path for template in self.templates for path in template.references)
        return paths | {self.loop_on} if self.loop_on else paths

    @property
    def binding_paths(self) -> frozenset[Path]:
        """Where its children find an object of it: under its resource, and under its name."""
        return frozenset({("resources", *self.resource.split("/")), ("resources", self.name)})


def parse_resources(raw: JSON, path: str = "resources") -> tuple[list[ResourceItem], list[Failure]]:
    """Read a job's resources; with a fault the list is not to be used. Never raises."""
    if not isinstance(raw, list) or not raw:
        return [], [Failure(path, "expected a list of at least one resource")]
    if len(raw) > _MAX_RESOURCES:
        return [], [Failure(path, f"expected at most {_MAX_RESOURCES} resources, found {len(raw)}")]
    failures: list[Failure] = []
    readers = [ConfigReader(value, f"{path}.{position}", failures) for position, value in enumerate(raw)]
    items = [_read_item(reader, position) for position, reader in enumerate(readers) if reader.is_object()]
    items, tree_failures = _as_tree(items, path)
    if not tree_failures:
        items, tree_failures = _with_checked_references(items, path)
    return items, failures + tree_failures


def _read_item(reader: ConfigReader, position: int) -> ResourceItem:
    _refuse_unsupported(reader)
    resource = _read_resource(reader)
    return ResourceItem(
        name=_read_name(reader, "name") if reader.value.get("name") is not None else resource,
        resource=resource,
        method=reader.text("method"),
        id=_read_id(reader),
        query=reader.object_template("query"),
        body=_read_body(reader),
        loop_on=_read_loop(reader),
        depends_on=_read_parent(reader),
        persist=_is_persisted(reader, resource),
        position=position,
        delete_tracking=_read_delete_tracking(reader),
    )


def _refuse_unsupported(reader: ConfigReader) -> None:
    kind = reader.value.get("type")
    if isinstance(kind, str) and kind in _NODE_TYPES_TO_COME:
        reader.fault("type", f"'{kind}' items are not supported yet")
    elif kind not in (None, "request"):
        reader.fault("type", f"expected 'request' or nothing, found {shown(kind)}")
    if reader.value.get("recurse") is not None:
        reader.fault("recurse", "is not supported yet")


def _read_resource(reader: ConfigReader) -> str:
    resource = _read_name(reader, "resource")
    name = unified_name(resource)
    if name is not None and ("/" in name.resource or not all(name)):
        reader.fault("resource", f"expected a resource, or 'model/resource' of a unified API, found {shown(resource)}")
    return resource


def _is_persisted(reader: ConfigReader, resource: str) -> bool:
    """Read whether records are kept: those of a unified API always are."""
    return reader.flag("persist") or unified_name(resource) is not None


def _read_name(reader: ConfigReader, key: str) -> str:
    name = reader.text(key)
    if len(name) > _MAX_NAME_LENGTH:
        reader.fault(key, f"expected at most {_MAX_NAME_LENGTH} characters, found {len(name)}")
    if set("{}") & set(name):
        reader.fault(key, "expected a name, which holds no placeholders")
    return name


def _read_id(reader: ConfigReader) -> Template | None:
    value = reader.value.get("id")
    if isinstance(value, int) and not isinstance(value, bool):
        return placeholders.parse(str(value))
    return None if value is None else reader.template("id")


def _read_body(reader: ConfigReader) -> Template | None:
    body = reader.value.get("body")
    if body is not None and not isinstance(body, dict | str | list):
        reader.fault("body", f"expected an object or a text, found {shown(body)}")
        return None
    return reader.any_template("body")


def _read_loop(reader: ConfigReader) -> Path | None:
    """Read ``x``, ``{{x}}``, or ``{"{ x }": null}``: what YAML makes of an unquoted ``{{ x }}``, also within a text."""
    value = reader.value.get("loop_on")
    if isinstance(value, dict) and len(value) == 1:
        value = next(iter(value))
    if value is None or value == "":
        return None
    text = value.partition('":')[0].strip('{}" \n\t') if isinstance(value, str) else ""
    if not _LOOP_PATH.fullmatch(text):
        reader.fault("loop_on", f"expected the path of an array such as 'args.user_ids', found {shown(value)}")
        return None
    path = tuple(text.split("."))
    return path if path[0] in _SCOPE_ROOTS and len(path) > 1 else ("args", *path)


def _read_delete_tracking(reader: ConfigReader) -> DeleteTracking | None:
    value = reader.value.get("delete_tracking")
    if value in (None, ""):
        return None
    if value not in list(DeleteTracking):
        reader.fault("delete_tracking", f"expected 'soft' or 'hard', found {shown(value)}")
        return None
    if not _is_persisted(reader, str(reader.value.get("resource"))):
        reader.fault("delete_tracking", "needs 'persist': only records that are kept can vanish")
    return DeleteTracking(value)


def _read_parent(reader: ConfigReader) -> str | None:
    """Read what the item depends on: a name or a resource, to be looked up once all items are known."""
    value = reader.value.get("depends_on")
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if value in (None, "", []):
        return None
    if not isinstance(value, str):
        reader.fault("depends_on", f"expected the name of one other resource, found {shown(value)}")
        return None
    return value


def _as_tree(items: Sequence[ResourceItem], path: str) -> tuple[list[ResourceItem], list[Failure]]:
    """Point every item at its parent's name; give what keeps the items from being a tree."""
    failures = _name_failures(items, path)
    parents: dict[int, str | None] = {}
    for item in items:
        try:
            parents[item.position] = _parent_name(item, items)
        except LookupError as error:
            parents[item.position] = None
            failures.append(Failure(f"{path}.{item.position}.depends_on", str(error.args[0])))
    tree = [replace(item, depends_on=parents[item.position]) for item in items]
    return tree, failures + _cycle_failures(tree, path)


def _parent_name(item: ResourceItem, items: Sequence[ResourceItem]) -> str | None:
    """Find the parent by its name, else by its resource; raise LookupError that says what is wrong."""
    wanted = item.depends_on
    if wanted is None or any(other.name == wanted for other in items):
        return wanted
    named = [other.name for other in items if other.resource == wanted and other is not item]
    if len(named) == 1:
        return named[0]
    if named:
        raise LookupError(f"'{wanted}' is the resource of several items: expected one of {_shown_names(named)}")
    others = [other.name for other in items if other is not item and other.name]
    expected = f"expected one of {_shown_names(others)}" if others else "there is no other"
    raise LookupError(f"'{wanted}' names no other resource of this job: {expected}")


def _shown_names(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names[:10]) + (", …" if len(names) > 10 else "")


def _name_failures(items: Sequence[ResourceItem], path: str) -> list[Failure]:
    failures: list[Failure] = []
    first: dict[str, int] = {}
    for item in items:
        if item.name and item.name in first:
            message = f"is called '{item.name}' like {path}.{first[item.name]}: give one of them a 'name' of its own"
            failures.append(Failure(f"{path}.{item.position}", message))
        first.setdefault(item.name, item.position)
    return failures


def _cycle_failures(items: Sequence[ResourceItem], path: str) -> list[Failure]:
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


def _with_checked_references(items: Sequence[ResourceItem], path: str) -> tuple[list[ResourceItem], list[Failure]]:
    """Check that placeholders read the objects of ancestors only; a loop over one such object is none."""
    by_name = {item.name: item for item in items}
    failures: list[Failure] = []
    checked: list[ResourceItem] = []
    for item in items:
        bound = _bound_paths(item, by_name)
        for reference in sorted(item.references):
            if reference[0] == "resources" and not any(reference[: len(at)] == at for at in bound):
                message = f"reads '{'.'.join(reference)}', which is no resource that '{item.name}' depends on"
                failures.append(Failure(f"{path}.{item.position}", message))
        # The request is made once per object already, and that path is the object.
        checked.append(replace(item, loop_on=None) if item.loop_on in bound else item)
    return checked, failures


def _bound_paths(item: ResourceItem, by_name: Mapping[str, ResourceItem]) -> set[Path]:
    bound: set[Path] = set()
    parent = item.depends_on
    while parent is not None:
        bound |= by_name[parent].binding_paths
        parent = by_name[parent].depends_on
    return bound
