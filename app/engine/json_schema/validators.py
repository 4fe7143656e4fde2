"""JSON Schema's validators within a bound of time, and without Python's regular expressions.

Schemas are the tenants' own: references that double, or long lists of long texts, would otherwise stop a process. The
bound is looked at before each subschema, each pattern and each fault; what happens in between is linear.
"""

import json
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend, validator_for

from app.engine.errors import UncheckableError
from app.engine.json_schema.patterns import is_match
from app.engine.json_types import JSON, JsonObject
from app.engine.json_values import walk

SECONDS: Final = 0.5
SECONDS_FOR_A_SCHEMA: Final = 3.0
"""To check a schema itself, which happens when it is saved."""

MOST_PARTS: Final = 10_000
"""Values in a schema, of whatever kind: a schema of so many is judged within that time."""


class Allowance(FormatChecker):
    """What one validation may use: the formats that it knows, and time of its thread."""

    def __init__(self, formats: FormatChecker, *, seconds: float = SECONDS) -> None:
        super().__init__(formats=())
        self.checkers = formats.checkers
        self._seconds = seconds
        self._ends_at = time.thread_time() + seconds

    def spend(self) -> None:
        """Raise UncheckableError when the time is over."""
        if time.thread_time() > self._ends_at:
            raise UncheckableError(f"it takes more than {self._seconds} seconds of computing")


def find_size_fault(schema: JSON) -> str | None:
    """Return the fault of a schema with too many parts; None when it has not."""
    parts = sum(1 for _ in walk(schema))
    return f"has {parts} parts: expected at most {MOST_PARTS}" if parts > MOST_PARTS else None


def find_schema_fault(schema: JsonObject) -> tuple[Sequence[str | int], str] | None:
    """Find a fault of a schema that is only shown, of whatever dialect it names: its path, and what is wrong."""
    if fault := find_size_fault(schema):
        return (), fault
    dialect = schema.get("$schema")
    library: Any = validator_for({"$schema": dialect} if isinstance(dialect, str) else {}, default=Draft202012Validator)
    allowance = Allowance(library.FORMAT_CHECKER, seconds=SECONDS_FOR_A_SCHEMA)
    try:
        validator = bound_validator(library)(library.META_SCHEMA, format_checker=allowance)
        error = next(validator.iter_errors(schema), None)
    except RecursionError:
        return (), "is nested too deeply"
    except UncheckableError as unchecked:
        return (), f"can not be checked: {unchecked.message}"
    return None if error is None else (error.absolute_path, f"is no JSON Schema: {error.message[:200]}")


def bound_validator(library: Any, **keywords: Any) -> Any:
    """Make a validator class like one of the library's, whose ``format_checker`` must be an Allowance."""
    own = {name: keyword for name, keyword in _KEYWORDS.items() if name in library.VALIDATORS}
    made = extend(library, {**own, **keywords})  # type: ignore[no-untyped-call]
    # The library's own ``evolve`` leaves this class for the one that a ``$schema`` within the schema names.
    made.evolve, made.is_valid = _evolve, _is_valid
    return made


def has_match(validator: Draft202012Validator, pattern: str, text: str) -> bool:
    """Whether a pattern is found in a text; raise UncheckableError."""
    _spend(validator)
    return is_match(pattern, text)


def _spend(validator: Any) -> None:
    validator.format_checker.spend()


def _evolve(self: Any, **changes: Any) -> Any:
    _spend(self)
    kept = {"format_checker": self.format_checker, "registry": self._registry, "_resolver": self._resolver}
    return type(self)(**{"schema": self.schema, **kept, **changes})


def _is_valid(self: Any, instance: JSON) -> bool:
    _spend(self)
    return next(self.iter_errors(instance), None) is None


def _check_pattern(validator: Draft202012Validator, pattern: str, value: JSON, schema: JsonObject) -> Iterator[Any]:
    if validator.is_type(value, "string") and not has_match(validator, pattern, value):
        yield ValidationError("does not match")


def _check_pattern_properties(
    validator: Draft202012Validator, patterns: JsonObject, value: JSON, schema: JsonObject
) -> Iterator[ValidationError]:
    for pattern, described in patterns.items() if validator.is_type(value, "object") else ():
        for name, one in value.items():
            if has_match(validator, pattern, name):
                yield from validator.descend(one, described, path=name, schema_path=pattern)


def _check_unique_items(
    validator: Draft202012Validator, is_asked: JSON, value: JSON, schema: JsonObject
) -> Iterator[ValidationError]:
    """Compare in linear time; the library compares every item with every other where they have no order."""
    if is_asked and validator.is_type(value, "array") and len(set(map(_write_canonical, value))) < len(value):
        yield ValidationError("has equal items")


def _write_canonical(value: JSON) -> str:
    return json.dumps(_unify_numbers(value), sort_keys=True)


def _unify_numbers(value: JSON) -> JSON:
    """Write 1.0 as 1, which JSON Schema takes for the same."""
    match value:
        case dict():
            return {name: _unify_numbers(one) for name, one in value.items()}
        case list():
            return [_unify_numbers(one) for one in value]
        case float() if value.is_integer():
            return int(value)
        case _:
            return value


def _check_unevaluated(
    validator: Draft202012Validator, described: JSON, value: JSON, schema: JsonObject
) -> Iterator[ValidationError]:
    """Check what no other keyword has looked at; the library does so by Python's patterns, in quadratic time."""
    if isinstance(value, dict | list):
        keys = set(value if isinstance(value, dict) else range(len(value)))
        if keys - _find_evaluated(validator, value):
            yield ValidationError("holds what was not expected")


def _find_evaluated(validator: Any, value: JSON) -> set[str | int]:
    """Return the names, or places, in a value that a schema looks at."""
    if not isinstance(validator.schema, dict):
        return set()
    found = _find_looked_at(validator, value, validator.schema)
    for part in _list_satisfied(validator, value, validator.schema):
        found |= _find_evaluated(part, value)
    return found


def _find_looked_at(validator: Any, value: JSON, schema: JsonObject) -> set[str | int]:
    if isinstance(value, list):
        found: set[str | int] = set(range(len(value) if "items" in schema else len(schema.get("prefixItems", ()))))
        return found | _find_taken(validator, enumerate(value), schema, "contains", "unevaluatedItems")
    found = schema.get("properties", {}).keys() & value.keys()
    patterns = schema.get("patternProperties", {})
    found |= {name for name in value for pattern in patterns if has_match(validator, pattern, name)}
    return found | _find_taken(validator, value.items(), schema, "additionalProperties", "unevaluatedProperties")


def _find_taken(validator: Any, entries: Any, schema: JsonObject, *keywords: str) -> set[str | int]:
    """Return the keys of the entries that the schema under one of the keywords takes."""
    present = [validator.evolve(schema=schema[keyword]) for keyword in keywords if keyword in schema]
    return {key for key, one in entries if any(part.is_valid(one) for part in present)}


def _list_satisfied(validator: Any, value: JSON, schema: JsonObject) -> Iterator[Any]:
    """Yield the validators of the subschemas that a value satisfies as a whole."""
    for keyword in ("$ref", "$dynamicRef"):
        if keyword in schema:
            target = validator._resolver.lookup(schema[keyword])
            yield validator.evolve(schema=target.contents, _resolver=target.resolver)
    alternatives = [one for keyword in ("allOf", "anyOf", "oneOf") for one in schema.get(keyword, ())]
    alternatives += [one for name, one in schema.get("dependentSchemas", {}).items() if name in value]
    yield from (part for one in alternatives if (part := validator.evolve(schema=one)).is_valid(value))
    if "if" in schema:
        condition = validator.evolve(schema=schema["if"])
        is_met = condition.is_valid(value)
        yield from (condition,) if is_met else ()
        then = "then" if is_met else "else"
        yield from (validator.evolve(schema=schema[then]),) if then in schema else ()


_KEYWORDS: Final = {
    "pattern": _check_pattern,
    "patternProperties": _check_pattern_properties,
    "uniqueItems": _check_unique_items,
    "unevaluatedItems": _check_unevaluated,
    "unevaluatedProperties": _check_unevaluated,
}
