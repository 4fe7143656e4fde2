"""A sync job's resources: the flat list of wire.md A2, checked whole and typed."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.engine import placeholders
from app.engine.config_reader import ConfigReader, shown
from app.engine.errors import Failure
from app.engine.json_types import JSON
from app.engine.paths import Path
from app.engine.placeholders import Template

_LOOP_TOKEN: Final = re.compile(r"\{\{\s*([^{}|:?\s]+)\s*\}\}|\{\s*([^{}|:?\s]+)\s*\}")
_SCOPE_ROOTS: Final = frozenset({"args", "resources", "context", "sync_job_run", "tenant_id", "previous_run_date"})
_NODE_TYPES_TO_COME: Final = frozenset({"spool", "transform"})


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
    failures: list[Failure] = []
    if not isinstance(raw, list) or not raw:
        return [], [Failure(path, "expected a list of at least one resource")]
    readers = [ConfigReader(value, f"{path}.{index}", failures) for index, value in enumerate(raw)]
    named = {reader.at: _name(reader) for reader in readers if isinstance(reader.value, dict)}
    items = [_read_item(reader, position, named) for position, reader in enumerate(readers) if reader.is_object()]
    _check_names(items, path, failures)
    if not failures:
        _check_cycles(items, path, failures)
    if not failures:
        _check_references(items, path, failures)
    return items, failures


def _read_item(reader: ConfigReader, position: int, named: Mapping[str, str]) -> ResourceItem:
    _refuse_unsupported(reader)
    resource = reader.text("resource")
    if "/" in resource:
        message = f"'{resource}' names a unified API, whose mappings Ferryman does not have yet: use a proxy resource"
        reader.fault("resource", f"{message}, a name without '/'")
    return ResourceItem(
        name=reader.optional_text("name") or resource,
        resource=resource,
        method=reader.text("method"),
        id=_read_id(reader),
        query=reader.object_template("query"),
        body=_read_body(reader),
        loop_on=_read_loop(reader),
        depends_on=_read_parent(reader, named),
        persist=_read_persist(reader),
        position=position,
    )


def _refuse_unsupported(reader: ConfigReader) -> None:
    kind = reader.value.get("type")
    if kind in _NODE_TYPES_TO_COME:
        reader.fault("type", f"'{kind}' items are not supported yet")
    elif kind not in (None, "request"):
        reader.fault("type", f"expected 'request' or nothing, found {shown(kind)}")
    if reader.value.get("recurse") is not None:
        reader.fault("recurse", "is not supported yet")


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


def _read_persist(reader: ConfigReader) -> bool:
    value = reader.value.get("persist")
    if value is not None and not isinstance(value, bool):
        reader.fault("persist", f"expected true or false, found {shown(value)}")
    return value is True


def _read_loop(reader: ConfigReader) -> Path | None:
    """Read loop_on: ``x``, ``args.x``, ``{{args.x}}``, ``resources.a.b``, or the seed page's mangled object."""
    value = reader.value.get("loop_on")
    if isinstance(value, dict) and len(value) == 1:
        # YAML reads an unquoted {{ args.x }} as an object with one key.
        value = next(iter(value))
    if value is None or value == "":
        return None
    found = _LOOP_TOKEN.fullmatch(value.strip()) if isinstance(value, str) else None
    text = (found[1] or found[2]) if found else value
    if not isinstance(text, str) or not re.fullmatch(r"[\w-]+(\.[\w-]+)*", text.strip()):
        reader.fault("loop_on", f"expected the path of an array such as 'args.user_ids', found {shown(value)}")
        return None
    path = tuple(text.strip().split("."))
    return path if path[0] in _SCOPE_ROOTS and len(path) > 1 else ("args", *path)


def _read_parent(reader: ConfigReader, named: Mapping[str, str]) -> str | None:
    value = reader.value.get("depends_on")
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not value:
        return None
    if not isinstance(value, str):
        reader.fault("depends_on", f"expected the name of one other resource, found {shown(value)}")
        return None
    others = [name for name in named.values() if name]
    if value not in others:
        reader.fault("depends_on", f"'{value}' names no resource of this job: expected one of {', '.join(others)}")
        return None
    return value


def _name(reader: ConfigReader) -> str:
    name = reader.value.get("name") or reader.value.get("resource")
    return name if isinstance(name, str) else ""


def _check_names(items: Sequence[ResourceItem], path: str, failures: list[Failure]) -> None:
    first: dict[str, int] = {}
    for item in items:
        if item.name and item.name in first:
            message = f"is called '{item.name}' like {path}.{first[item.name]}: give one of them a 'name' of its own"
            failures.append(Failure(f"{path}.{item.position}", message))
        first.setdefault(item.name, item.position)


def _check_cycles(items: Sequence[ResourceItem], path: str, failures: list[Failure]) -> None:
    parents = {item.name: item.depends_on for item in items}
    for item in items:
        trail = [item.name]
        while (parent := parents.get(trail[-1])) is not None and parent not in trail:
            trail.append(parent)
        if parent == item.name:
            message = f"depends on itself: {' → '.join([*trail, item.name])}"
            failures.append(Failure(f"{path}.{item.position}.depends_on", message))


def _check_references(items: Sequence[ResourceItem], path: str, failures: list[Failure]) -> None:
    """A placeholder may read the objects of an item's ancestors, and of nothing else."""
    by_name = {item.name: item for item in items}
    for item in items:
        bound: set[Path] = set()
        parent = item.depends_on
        while parent is not None:
            bound |= by_name[parent].binding_paths
            parent = by_name[parent].depends_on
        for reference in sorted(item.references):
            if reference[0] == "resources" and not any(reference[: len(at)] == at for at in bound):
                message = f"reads '{'.'.join(reference)}', which is no resource that '{item.name}' depends on"
                failures.append(Failure(f"{path}.{item.position}", message))
