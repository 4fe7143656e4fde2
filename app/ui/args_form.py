"""The arguments of a job as a form: a field for each property of its args_schema, and their values back as JSON.

An object's properties are fields of their own, so that nobody has to write JSON for them.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.engine.errors import Failure
from app.engine.json_schema.dialects import normalise_schema
from app.engine.json_types import JSON, JsonObject
from app.ui.texts import write_value

PREFIX: Final = "arg."
OTHERS: Final = "args"
_INTEGER: Final = re.compile(r"-?[0-9]{1,30}")
_MOST_FIELDS: Final = 100
_DEEPEST: Final = 3
_BOUNDS: Final[Mapping[str, str]] = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
    "minLength": "characters: at least",
    "maxLength": "characters: at most",
    "pattern": "matches",
}
_KINDS: Final = {"string": "text", "integer": "integer", "number": "number", "boolean": "choice"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgField:
    """One argument as a field."""

    path: tuple[str, ...]
    """Where its value stands, from the outermost object in."""
    kind: str
    """``text``, ``integer``, ``number``, ``date``, ``choice`` or ``json``."""
    label: str
    hint: str = ""
    is_required: bool = False
    """Itself, and each object that it is in."""
    choices: Sequence[JSON] = ()
    default: JSON = None
    """What it is when it is left empty; shown, and not sent."""
    example: str = ""
    """Of a value that is written as JSON."""

    @property
    def options(self) -> Sequence[tuple[str, str]]:
        """What is sent for each choice, and how it is shown."""
        return [(write_choice(choice), write_value(choice)) for choice in self.choices]

    @property
    def key(self) -> str:
        """Its name in the form."""
        return PREFIX + ".".join(name.replace("\\", "\\\\").replace(".", "\\.") for name in self.path)

    @property
    def fault_path(self) -> str:
        """Where faults of it are found."""
        return ".".join(("args", *self.path))

    def read(self, text: str) -> JSON:
        """Return the value that a text stands for; raise ValueError that says what was expected."""
        match self.kind:
            case "integer" if _INTEGER.fullmatch(text.strip()):
                return int(text)
            case "number" | "integer":
                return _read_number(text)
            case "choice":
                return _read_choice(text, self.choices)
            case "json":
                return read_json(text)
            case _:
                return text


def list_fields(schema: JsonObject) -> Sequence[ArgField]:
    """Return a field for each property that a schema names, those that are required first."""
    return list(_list_properties(normalise_schema(schema) if schema else {}, (), is_required=True))[:_MOST_FIELDS]


def _list_properties(schema: Mapping[str, Any], path: tuple[str, ...], *, is_required: bool) -> Iterator[ArgField]:
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(properties, dict):
        return
    named = required if isinstance(required, list) else ()
    for name, found in sorted(properties.items(), key=lambda one: one[0] not in named):
        one, whole = found if isinstance(found, dict) else {}, (*path, str(name))
        is_needed = is_required and name in named
        if one.get("type") == "object" and isinstance(one.get("properties"), dict) and len(whole) < _DEEPEST:
            yield from _list_properties(one, whole, is_required=is_needed)
        else:
            yield _make_field(whole, one, is_required=is_needed)


def read_args(fields: Sequence[ArgField], form: Mapping[str, str]) -> tuple[JsonObject, Sequence[Failure]]:
    """Return the arguments of a sent form, and what is wrong with them; an empty field is no argument."""
    args: JsonObject = {}
    failures = []
    if others := form.get(OTHERS, "").strip():
        try:
            found = read_json(others)
            if not isinstance(found, dict):
                raise ValueError('expected an object, such as {"since": "2026-01-01"}')
            args |= found
        except ValueError as error:
            failures.append(Failure("args", str(error)))
    for field in fields:
        text = form.get(field.key, "")
        try:
            if text == "":
                if field.is_required:
                    # So that what is missing is this field, not all of the object.
                    _reach(args, field.path[:-1])
                continue
            _put(args, field.path, field.read(text))
        except ValueError as error:
            failures.append(Failure(field.fault_path, str(error)))
    return args, failures


def _put(args: JsonObject, path: Sequence[str], value: JSON) -> None:
    _reach(args, path[:-1])[path[-1]] = value


def _reach(args: JsonObject, path: Sequence[str]) -> JsonObject:
    for name in path:
        args = args.setdefault(name, {})
        if not isinstance(args, dict):
            raise ValueError(f"'{name}' is written as JSON too, and is no object there")
    return args


def read_json(text: str) -> JSON:
    """Read JSON; raise ValueError that says where it ends to be some."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise ValueError(f"expected JSON: {error.msg} in line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error


def _make_field(path: tuple[str, ...], schema: Mapping[str, Any], *, is_required: bool) -> ArgField:
    kind, choices, format = schema.get("type"), schema.get("enum"), schema.get("format")
    is_choice = isinstance(choices, list) and choices != []
    known = _KINDS.get(kind, "json") if isinstance(kind, str) else "json"
    told = [str(one) for one in (schema.get("description"), format) if isinstance(one, str)]
    told += [f"{words} {write_value(schema[key])}" for key, words in _BOUNDS.items() if key in schema]
    return ArgField(
        path=path,
        kind="choice" if is_choice else "date" if (known, format) == ("text", "date") else known,
        label=" / ".join((*path[:-1], str(schema.get("title") or path[-1]))),
        hint=" · ".join(told),
        is_required=is_required,
        choices=choices if is_choice and isinstance(choices, list) else (True, False) if kind == "boolean" else (),
        default=schema.get("default"),
        example=json.dumps(_build_example(schema, _DEEPEST), ensure_ascii=False) if known == "json" else "",
    )


def _build_example(schema: object, depth: int) -> JSON:
    """Return a value of about the form that a schema asks for."""
    if not isinstance(schema, dict) or not depth:
        return "…"
    if choices := schema.get("enum"):
        return choices[0] if isinstance(choices, list) else "…"
    match schema.get("type"):
        case "array":
            return [_build_example(schema.get("items"), depth - 1)]
        case "object":
            properties = schema.get("properties")
            named = list(properties.items())[:5] if isinstance(properties, dict) else [("name", {})]
            return {str(name): _build_example(one, depth - 1) for name, one in named}
        case "integer" | "number":
            return 1
        case "boolean":
            return True
        case _:
            return "…"


def _read_number(text: str) -> JSON:
    try:
        value = read_json(text.strip())
    except ValueError:
        value = None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("expected a number")
    return value


def write_choice(choice: JSON) -> str:
    """Return what a form sends for a choice: a browser would change the ends of lines."""
    return json.dumps(choice, ensure_ascii=False)


def _read_choice(text: str, choices: Sequence[JSON]) -> JSON:
    for choice in choices:
        if write_choice(choice) == text:
            return choice
    raise ValueError("expected one of the choices")


def _refuse(name: str) -> JSON:
    raise ValueError(f"{name} is not a JSON value")
