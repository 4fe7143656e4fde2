"""The arguments of a job as a form: a field for each property of its args_schema, and their values back as JSON."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.engine.errors import Failure
from app.engine.json_schema.dialects import normalise_schema
from app.engine.json_types import JSON, JsonObject

PREFIX: Final = "arg."
OTHERS: Final = "args"
_INTEGER: Final = re.compile(r"-?[0-9]{1,30}")
_MOST_FIELDS: Final = 100
_KINDS: Final = {"string": "text", "integer": "integer", "number": "number", "boolean": "choice"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgField:
    """One argument as a field."""

    name: str
    kind: str
    """``text``, ``integer``, ``number``, ``choice`` or ``json``."""
    label: str
    hint: str = ""
    is_required: bool = False
    choices: Sequence[JSON] = ()
    default: JSON = None
    """What it is when it is left empty; shown, and not sent."""

    @property
    def key(self) -> str:
        """Its name in the form."""
        return f"{PREFIX}{self.name}"

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
    plain = normalise_schema(schema) if schema else {}
    properties, required = plain.get("properties"), plain.get("required")
    if not isinstance(properties, dict):
        return ()
    named = required if isinstance(required, list) else ()
    fields = [
        _make_field(str(name), one if isinstance(one, dict) else {}, is_required=name in named)
        for name, one in list(properties.items())[:_MOST_FIELDS]
    ]
    return sorted(fields, key=lambda one: not one.is_required)


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
        if text == "":
            continue
        try:
            args[field.name] = field.read(text)
        except ValueError as error:
            failures.append(Failure(f"args.{field.name}", str(error)))
    return args, failures


def read_json(text: str) -> JSON:
    """Read JSON; raise ValueError that says where it ends to be some."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise ValueError(f"expected JSON: {error.msg} in line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error


def _make_field(name: str, schema: Mapping[str, Any], *, is_required: bool) -> ArgField:
    kind, choices, format = schema.get("type"), schema.get("enum"), schema.get("format")
    is_choice = isinstance(choices, list) and choices != []
    told = [str(one) for one in (schema.get("description"), format) if isinstance(one, str)]
    return ArgField(
        name=name,
        kind="choice" if is_choice else _KINDS.get(kind, "json") if isinstance(kind, str) else "json",
        label=str(schema.get("title") or name),
        hint=" · ".join(told),
        is_required=is_required,
        choices=choices if is_choice and isinstance(choices, list) else (True, False) if kind == "boolean" else (),
        default=schema.get("default"),
    )


def _read_number(text: str) -> JSON:
    try:
        value = read_json(text.strip())
    except ValueError:
        value = None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("expected a number")
    return value


def _read_choice(text: str, choices: Sequence[JSON]) -> JSON:
    for choice in choices:
        if json.dumps(choice) == text:
            return choice
    raise ValueError("expected one of the choices")


def _refuse(name: str) -> JSON:
    raise ValueError(f"{name} is not a JSON value")
