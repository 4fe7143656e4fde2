"""A sync job's resources: the flat list of docs/wire.md A2, checked whole and typed."""

from typing import Final

from app.engine.config.reader import ConfigReader, show_value
from app.engine.errors import Failure
from app.engine.jobs import parent_fields
from app.engine.jobs.items import DeleteTracking, NodeKind, Recursion, ResourceItem, build_tree, check_references
from app.engine.json_types import JSON
from app.engine.jsonata.expressions import Expression
from app.engine.known_keys.of_items import LONGEST_NAME
from app.engine.paths import Path
from app.engine.templating import placeholders, tokens
from app.engine.templating.placeholders import Template
from app.engine.unified.model import parse_unified_name

_MAX_RESOURCES: Final = 1000

_SCOPE_ROOTS: Final = frozenset({"args", "resources", "context", "sync_job_run", "tenant_id", "previous_run_date"})
# What only a request can have.
OF_REQUESTS: Final = ("id", "query", "body", "loop_on", "recurse", "delete_tracking", "include_from_parent")


def parse_resources(raw: JSON, path: str = "resources") -> tuple[list[ResourceItem], list[Failure]]:
    """Read a job's resources; with a fault the list is not to be used. Never raises."""
    if not isinstance(raw, list) or not raw:
        return [], [Failure(path, "expected a list of at least one resource")]
    if len(raw) > _MAX_RESOURCES:
        return [], [Failure(path, f"expected at most {_MAX_RESOURCES} resources, found {len(raw)}")]
    failures: list[Failure] = []
    readers = [ConfigReader(value, f"{path}.{position}", failures) for position, value in enumerate(raw)]
    items = [_read_item(reader, position) for position, reader in enumerate(readers) if reader.is_object()]
    items, tree_failures = build_tree(items, path)
    if not tree_failures:
        items, tree_failures = parent_fields.resolve_included(items, path)
    if not tree_failures:
        items, tree_failures = check_references(items, path)
    return items, failures + tree_failures


def _read_item(reader: ConfigReader, position: int) -> ResourceItem:
    kind = _read_kind(reader)
    if kind is not NodeKind.REQUEST:
        return _read_node(reader, kind, position)
    resource = _read_resource(reader)
    return ResourceItem(
        name=_read_name(reader, "name") if reader.value.get("name") is not None else resource,
        resource=resource,
        method=reader.read_text("method"),
        id=_read_id(reader),
        query=None if _has_computed_query(reader) else reader.read_object_template("query"),
        body=None if _has_computed_body(reader) else _read_body(reader),
        loop_on=_read_loop(reader),
        depends_on=_read_parent(reader),
        persist=_is_persisted(reader, resource),
        position=position,
        delete_tracking=_read_delete_tracking(reader),
        expression=reader.read_expression("query") if _has_computed_query(reader) else None,
        body_expression=reader.read_expression("body") if _has_computed_body(reader) else None,
        recursion=_read_recursion(reader),
        included=parent_fields.read_included(reader),
        deleted_when=reader.read_expression("deleted_when"),
    )


def _has_computed_body(reader: ConfigReader) -> bool:
    """Whether the body is JSONata: any text without placeholders, which would make it a text to be sent."""
    body = reader.value.get("body")
    return isinstance(body, str) and "{{" not in body


def _has_computed_query(reader: ConfigReader) -> bool:
    return isinstance(reader.value.get("query"), str)


def _read_node(reader: ConfigReader, kind: NodeKind, position: int) -> ResourceItem:
    """Read an item that works on what its parent has given; without a resource of its own it has its parent's."""
    for key in OF_REQUESTS:
        if reader.value.get(key) is not None:
            reader.report(key, f"a '{kind}' item asks nothing, so it has none")
    if reader.value.get("deleted_when") is not None and kind is NodeKind.SPOOL:
        reader.report("deleted_when", "a spool gives on what it gathers: say it of its parent, or of a transform")
    is_kept = reader.read_flag("persist")
    if is_kept and kind is NodeKind.SPOOL:
        reader.report("persist", "a spool gives on what it gathers: keep its parent's records, or a transform's")
    parent = _read_parent(reader)
    if parent is None:
        reader.report("depends_on", f"a '{kind}' item needs the name of the item whose records it works on")
    return ResourceItem(
        name=_read_name(reader, "name"),
        resource=_read_name(reader, "resource") if reader.value.get("resource") is not None else "",
        method=str(kind),
        id=None,
        query=None,
        body=None,
        loop_on=None,
        depends_on=parent,
        persist=is_kept,
        position=position,
        kind=kind,
        expression=_read_expression(reader) if kind is NodeKind.TRANSFORM else None,
        deleted_when=reader.read_expression("deleted_when") if kind is NodeKind.TRANSFORM else None,
    )


def _read_expression(reader: ConfigReader) -> Expression | None:
    config = reader.enter("config")
    if not config.is_object():
        return None
    if not config.value.get("expression"):
        config.report("expression", "expected a JSONata expression over 'records'")
        return None
    return config.read_expression("expression")


def _read_kind(reader: ConfigReader) -> NodeKind:
    kind = reader.value.get("type")
    if kind is None or kind in list(NodeKind):
        return NodeKind(kind or NodeKind.REQUEST)
    reader.report("type", f"expected 'request', 'transform', 'spool' or nothing, found {show_value(kind)}")
    return NodeKind.REQUEST


def _read_recursion(reader: ConfigReader) -> Recursion | None:
    if reader.value.get("recurse") is None:
        return None
    recurse = reader.enter("recurse")
    if not recurse.is_object():
        return None
    if recurse.value.get("config") is None:
        recurse.report("config", "expected an object with the 'id' or the 'query' of the repeated request")
        return None
    config = recurse.enter("config")
    if not config.is_object():
        return None
    return Recursion(
        condition=recurse.read_template("if"), id=_read_id(config), query=config.read_object_template("query")
    )


def _read_resource(reader: ConfigReader) -> str:
    resource = _read_name(reader, "resource")
    name = parse_unified_name(resource)
    if name is not None and ("/" in name.resource or not all(name)):
        reader.report(
            "resource", f"expected a resource, or 'model/resource' of a unified API, found {show_value(resource)}"
        )
    return resource


def _is_persisted(reader: ConfigReader, resource: str) -> bool:
    """Read whether records are kept: those of a unified API always are."""
    return reader.read_flag("persist") or parse_unified_name(resource) is not None


def _read_name(reader: ConfigReader, key: str) -> str:
    name = reader.read_text(key)
    if len(name) > LONGEST_NAME:
        reader.report(key, f"expected at most {LONGEST_NAME} characters, found {len(name)}")
    if set("{}") & set(name):
        reader.report(key, "expected a name, which holds no placeholders")
    return name


def _read_id(reader: ConfigReader) -> Template | None:
    value = reader.value.get("id")
    if isinstance(value, int) and not isinstance(value, bool):
        return placeholders.parse(str(value))
    return None if value is None else reader.read_template("id")


def _read_body(reader: ConfigReader) -> Template | None:
    body = reader.value.get("body")
    if body is not None and not isinstance(body, dict | str | list):
        reader.report("body", f"expected an object or a text, found {show_value(body)}")
        return None
    return reader.read_any_template("body")


def _read_loop(reader: ConfigReader) -> Path | None:
    """Read ``x``, ``{{x}}``, or ``{"{ x }": null}``: what YAML makes of an unquoted ``{{ x }}``, also within a text."""
    value = reader.value.get("loop_on")
    if isinstance(value, dict) and len(value) == 1:
        value = next(iter(value))
    if value is None or value == "":
        return None
    text = value.partition('":')[0].strip('{}" \n\t') if isinstance(value, str) else ""
    try:
        path = tokens.parse_path(text)
    except ValueError:
        reader.report("loop_on", f"expected the path of an array such as 'args.user_ids', found {show_value(value)}")
        return None
    return path if path[0] in _SCOPE_ROOTS and len(path) > 1 else ("args", *path)


def _read_delete_tracking(reader: ConfigReader) -> DeleteTracking | None:
    value = reader.value.get("delete_tracking")
    if value in (None, ""):
        return None
    if value not in list(DeleteTracking):
        reader.report("delete_tracking", f"expected 'soft' or 'hard', found {show_value(value)}")
        return None
    if not _is_persisted(reader, str(reader.value.get("resource"))):
        reader.report("delete_tracking", "needs 'persist': only records that are kept can vanish")
    return DeleteTracking(value)


def _read_parent(reader: ConfigReader) -> str | None:
    """Read what the item depends on: a name or a resource, to be looked up once all items are known."""
    value = reader.value.get("depends_on")
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if value in (None, "", []):
        return None
    if not isinstance(value, str):
        reader.report("depends_on", f"expected the name of one other resource, found {show_value(value)}")
        return None
    return value
