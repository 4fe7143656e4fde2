"""The arguments of a run, checked against its job's args_schema and args_validation (wire.md C6)."""

import copy
from collections.abc import Iterable, Iterator
from typing import Final

from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from app.engine.config.reader import name_type
from app.engine.errors import ExpressionSyntaxError, Failure, UncheckableError
from app.engine.json_schema.args_validator import Fault, find_schema_faults, find_value_faults
from app.engine.json_schema.dialects import is_flat, normalise_schema, walk_subschemas
from app.engine.json_schema.patterns import find_pattern_fault
from app.engine.json_schema.validators import find_size_fault
from app.engine.json_types import JSON, JsonObject
from app.engine.jsonata import expressions
from app.engine.paths import UNDEFINED
from app.engine.record_errors import ExpressionError

_REFERENCES: Final = frozenset({"$ref", "$dynamicRef"})


def check_schema(schema: JSON, path: str = "args_schema") -> list[Failure]:
    """Return what is wrong with an args_schema, in either of its dialects."""
    if not isinstance(schema, dict):
        return [Failure(path, f"expected an object, found {name_type(schema)}")]
    if fault := find_size_fault(schema):
        return [Failure(path, fault)]
    try:
        faults = _find_faults(normalise_schema(schema))
    except RecursionError:
        return [Failure(path, "is nested too deeply, or refers to itself without end")]
    except UncheckableError as error:
        return [Failure(path, f"can not be checked: {error.message}")]
    return _sort_faults(path, _place_as_written(schema, faults))


def bind(schema: JsonObject, args: JsonObject) -> tuple[JsonObject, list[Failure]]:
    """Fill defaults in and check; return the arguments and every failure.

    The schema is one that schema_failures finds nothing wrong with.
    """
    if not schema:
        return args, []
    try:
        plain = normalise_schema(schema)
        bound = _fill_defaults(plain, args)
        return bound, _sort_faults("args", find_value_faults(plain, bound))
    except RecursionError:  # A schema of a tree is sound, and args may be a tree of any depth.
        return args, [Failure("args", "is nested too deeply")]
    except UncheckableError as error:
        return args, [_explain_uncheckable(schema, error)]


def _explain_uncheckable(schema: JsonObject, error: UncheckableError) -> Failure:
    """Return what no arguments can be checked by: a job may have been stored before its schema was refused."""
    found = _sort_faults("args_schema", _place_as_written(schema, _find_pattern_faults(normalise_schema(schema))))
    places = "; ".join(f"{fault.path} {fault.message}" for fault in found)
    return Failure("args", f"can not be checked against the job's args_schema: {places or error.message}")


def _find_faults(plain: JsonObject) -> list[Fault]:
    faults = [*find_schema_faults(plain), *_find_type_faults(plain)]
    # References can be followed, and patterns read, only through a schema that is sound.
    faults = faults or [*_find_reference_faults(plain), *_find_pattern_faults(plain)]
    if not faults:
        _try_references(plain)
    return faults


def _place_as_written(schema: JsonObject, faults: Iterable[Fault]) -> Iterator[Fault]:
    """Move faults to where their author wrote them: a flat map was wrapped in ``properties``."""
    is_wrapped = is_flat(schema)
    return ((list(at)[1:] if is_wrapped else at, message) for at, message in faults)


def _try_references(plain: JsonObject) -> None:
    """Raise RecursionError for a schema that refers to itself without end."""
    list(find_value_faults(plain, {}))


def _find_type_faults(plain: JsonObject) -> Iterator[Fault]:
    """Arguments are an object: a schema of anything else would refuse every run."""
    types = plain.get("type", "object")
    if "object" not in (types if isinstance(types, list) else [types]):
        yield ["type"], "expected 'object', which is what args are"


def _find_reference_faults(plain: JsonObject) -> Iterator[Fault]:
    """Find references to anything but a schema within this one: only those have been checked."""
    schemas = {id(schema) for _, schema in walk_subschemas(plain)}
    root = DRAFT202012.create_resource(plain)
    try:
        # Crawled once: each look for an anchor would do it again.
        registry = Registry[JSON]().with_resource("", root).crawl()
    except ValueError:
        yield ["$id"], "expected URIs here and below"
        return
    for at, schema in walk_subschemas(plain):
        for keyword in _REFERENCES & schema.keys():
            if id(_find_target(registry, schema[keyword])) not in schemas:
                yield [*at, keyword], f"refers to '{schema[keyword]}', which is no schema within this one"


def _find_target(registry: Registry[JSON], reference: str) -> JSON:
    """Find what a reference points to, or None; nothing is fetched, which would open the server's own network."""
    try:
        return registry.resolver().lookup(reference).contents
    except (Unresolvable, TypeError, ValueError):  # The latter two come from pointers into numbers and texts.
        return None


def _find_pattern_faults(plain: JsonObject) -> Iterator[Fault]:
    """Find patterns that can not be matched in linear time."""
    for at, schema in walk_subschemas(plain):
        written = [(["pattern"], schema["pattern"])] if "pattern" in schema else []
        written += [(["patternProperties", pattern], pattern) for pattern in schema.get("patternProperties", ())]
        for keyword, pattern in written:
            if fault := find_pattern_fault(pattern):
                yield [*at, *keyword], fault


def _fill_defaults(schema: JSON, value: JSON) -> JSON:
    """Copy a value, with the defaults of what is absent from it and from the objects in it."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(value, dict) or not isinstance(properties, dict):
        return value
    filled = dict(value)
    for name, described in properties.items():
        if name not in value and isinstance(described, dict) and "default" in described:
            filled[name] = copy.deepcopy(described["default"])
        if name in filled:
            filled[name] = _fill_defaults(described, filled[name])
    return filled


def _sort_faults(root: str, faults: Iterable[Fault]) -> list[Failure]:
    """Return faults in the order of their paths, each once."""
    failures = {(".".join([root, *map(str, path)]), message) for path, message in faults}
    return [Failure(path, message) for path, message in sorted(failures)]


_LONGEST_MESSAGE: Final = 1000


def check_rule(rule: str | None, path: str = "args_validation") -> list[Failure]:
    """Return what is wrong with a rule itself."""
    if not rule:
        return []
    try:
        expressions.parse(rule)
    except ExpressionSyntaxError as error:
        return [Failure(path, error.message)]
    return []


def apply_rule(rule: str | None, args: JsonObject) -> list[Failure]:
    """Evaluate a rule on arguments: a falsy result accepts them; a rule that fails accepts none."""
    if not rule:
        return []
    try:
        found = expressions.parse(rule).evaluate({"args": args})
    except (ExpressionError, ExpressionSyntaxError) as error:
        return [Failure("args", f"the job's args_validation failed: {error.message}")]
    return [] if found is UNDEFINED or not found else [Failure("args", _read_message(found))]


def _read_message(found: JSON) -> str:
    text = found.get("message") if isinstance(found, dict) else found
    if isinstance(text, str) and text:
        return text[:_LONGEST_MESSAGE]
    return f"the job's args_validation refuses them, and returns {name_type(found)} without a message"
