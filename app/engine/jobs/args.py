"""The arguments of a run, checked against its job's args_schema (docs/wire.md C6)."""

import copy
from collections.abc import Iterable, Iterator
from typing import Final

from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from app.engine.config.reader import type_name
from app.engine.errors import Failure, UncheckableError
from app.engine.json_schema.args_validator import Fault, schema_faults, value_faults
from app.engine.json_schema.dialects import is_flat, normalised, subschemas
from app.engine.json_schema.patterns import pattern_fault
from app.engine.json_schema.validators import size_fault
from app.engine.json_types import JSON, JsonObject

_REFERENCES: Final = frozenset({"$ref", "$dynamicRef"})


def schema_failures(schema: JSON, path: str = "args_schema") -> list[Failure]:
    """Return what is wrong with an args_schema, in either of its dialects."""
    if not isinstance(schema, dict):
        return [Failure(path, f"expected an object, found {type_name(schema)}")]
    if fault := size_fault(schema):
        return [Failure(path, fault)]
    try:
        faults = _faults_of(normalised(schema))
    except RecursionError:
        return [Failure(path, "is nested too deeply, or refers to itself without end")]
    except UncheckableError as error:
        return [Failure(path, f"can not be checked: {error.message}")]
    return _in_order(path, _written(schema, faults))


def bind(schema: JsonObject, args: JsonObject) -> tuple[JsonObject, list[Failure]]:
    """Fill defaults in and check; give the arguments beside every fault.

    The schema is one that schema_failures finds nothing wrong with.
    """
    if not schema:
        return args, []
    try:
        plain = normalised(schema)
        bound = _with_defaults(plain, args)
        return bound, _in_order("args", value_faults(plain, bound))
    except RecursionError:  # A schema of a tree is sound, and args may be a tree of any depth.
        return args, [Failure("args", "is nested too deeply")]
    except UncheckableError as error:
        return args, [_unchecked(schema, error)]


def _unchecked(schema: JsonObject, error: UncheckableError) -> Failure:
    """Return what no arguments can be checked by: a job may have been stored before its schema was refused."""
    found = _in_order("args_schema", _written(schema, _pattern_faults(normalised(schema))))
    places = "; ".join(f"{fault.path} {fault.message}" for fault in found)
    return Failure("args", f"can not be checked against the job's args_schema: {places or error.message}")


def _faults_of(plain: JsonObject) -> list[Fault]:
    faults = [*schema_faults(plain), *_type_faults(plain)]
    # References can be followed, and patterns read, only through a schema that is sound.
    faults = faults or [*_reference_faults(plain), *_pattern_faults(plain)]
    if not faults:
        _try_out(plain)
    return faults


def _written(schema: JsonObject, faults: Iterable[Fault]) -> Iterator[Fault]:
    """Tell of faults where their author wrote them: a flat map was wrapped in ``properties``."""
    is_wrapped = is_flat(schema)
    return ((list(at)[1:] if is_wrapped else at, message) for at, message in faults)


def _try_out(plain: JsonObject) -> None:
    """Raise RecursionError for a schema that refers to itself without end."""
    list(value_faults(plain, {}))


def _type_faults(plain: JsonObject) -> Iterator[Fault]:
    """Arguments are an object: a schema of anything else would refuse every run."""
    types = plain.get("type", "object")
    if "object" not in (types if isinstance(types, list) else [types]):
        yield ["type"], "expected 'object', which is what args are"


def _reference_faults(plain: JsonObject) -> Iterator[Fault]:
    """Find references to anything but a schema within this one: only those have been checked."""
    schemas = {id(schema) for _, schema in subschemas(plain)}
    root = DRAFT202012.create_resource(plain)
    try:
        # Read whole once: each look for an anchor would read it anew.
        registry = Registry[JSON]().with_resource("", root).crawl()
    except ValueError:
        yield ["$id"], "expected URIs here and below"
        return
    for at, schema in subschemas(plain):
        for keyword in _REFERENCES & schema.keys():
            if id(_target(registry, schema[keyword])) not in schemas:
                yield [*at, keyword], f"refers to '{schema[keyword]}', which is no schema within this one"


def _target(registry: Registry[JSON], reference: str) -> JSON:
    """Find what a reference points to, or None; nothing is fetched, which would open the server's own network."""
    try:
        return registry.resolver().lookup(reference).contents
    except (Unresolvable, TypeError, ValueError):  # The latter two come from pointers into numbers and texts.
        return None


def _pattern_faults(plain: JsonObject) -> Iterator[Fault]:
    """Find patterns that can not be matched in linear time."""
    for at, schema in subschemas(plain):
        written = [(["pattern"], schema["pattern"])] if "pattern" in schema else []
        written += [(["patternProperties", pattern], pattern) for pattern in schema.get("patternProperties", ())]
        for keyword, pattern in written:
            if fault := pattern_fault(pattern):
                yield [*at, *keyword], fault


def _with_defaults(schema: JSON, value: JSON) -> JSON:
    """Copy a value, with the defaults of what is absent from it and from the objects in it."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(value, dict) or not isinstance(properties, dict):
        return value
    filled = dict(value)
    for name, described in properties.items():
        if name not in value and isinstance(described, dict) and "default" in described:
            filled[name] = copy.deepcopy(described["default"])
        if name in filled:
            filled[name] = _with_defaults(described, filled[name])
    return filled


def _in_order(root: str, faults: Iterable[Fault]) -> list[Failure]:
    """Return faults in the order of their paths, each once."""
    told = {(".".join([root, *map(str, path)]), message) for path, message in faults}
    return [Failure(path, message) for path, message in sorted(told)]
