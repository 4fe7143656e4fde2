"""What an application answers, compared with what its own ``/openapi.json`` says of it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import flask
from jsonschema import Draft202012Validator

from app.engine.json_types import JSON, JsonObject

_PARAMETER: Final = re.compile(r"<(?:[^<>]*:)?(\w+)>")
_IS_JSON: Final = "application/json"
_DOCUMENT: Final = "/openapi.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A success that had JSON."""

    operation: str
    """The method and the path, as the document has it."""
    status: int
    body: JSON


@dataclass
class Recording:
    """All successes of one application."""

    document: JsonObject = field(default_factory=dict)
    answers: list[Answered] = field(default_factory=list)

    def attach(self, app: flask.Flask) -> None:
        """Record what an application answers from now on."""
        app.after_request(self._take)
        self.document = app.test_client().get(_DOCUMENT).get_json()

    def _take(self, response: flask.Response) -> flask.Response:
        rule = flask.request.url_rule
        is_success = response.status_code < 300 and response.content_type == _IS_JSON
        if rule is not None and rule.rule != _DOCUMENT and is_success:
            path = _PARAMETER.sub(r"{\1}", rule.rule)
            operation = f"{flask.request.method} {path}"
            self.answers.append(Answered(operation=operation, status=response.status_code, body=response.get_json()))
        return response

    @property
    def documented(self) -> Mapping[str, Mapping[int, JsonObject]]:
        """The schemas of successes with JSON, by operation and status."""
        found: dict[str, dict[int, JsonObject]] = {}
        for path, methods in self.document["paths"].items():
            for method, operation in methods.items():
                for status, answer in operation["responses"].items() if method != "parameters" else ():
                    schema = answer.get("content", {}).get(_IS_JSON, {}).get("schema")
                    if schema is not None and status.startswith("2"):
                        found.setdefault(f"{method.upper()} {path}", {})[int(status)] = schema
        return found

    def list_contradictions(self) -> Iterator[str]:
        """Yield where an answer is not what the document says: a field is missing, or null, or of another kind."""
        documented = self.documented
        for one in self.answers:
            schema = documented.get(one.operation, {}).get(one.status)
            if schema is None:
                yield f"{one.operation}: {one.status} is not documented"
                continue
            validator = Draft202012Validator(
                {**schema, "components": self.document["components"]},
                format_checker=Draft202012Validator.FORMAT_CHECKER,
            )
            for error in validator.iter_errors(one.body):
                yield f"{one.operation}: {error.json_path}: {error.message[:300]}"

    def fields(self) -> Iterator["Field"]:
        """Yield every field of every answer that belongs to an object that is described."""
        documented = self.documented
        for one in self.answers:
            if (schema := documented.get(one.operation, {}).get(one.status)) is not None:
                yield from self._fields(one.body, schema, one.operation)

    def always_nullable(self) -> set[str]:
        """Name the fields that answers always have, and that may be null."""
        found: set[str] = set()
        waiting: list[tuple[JsonObject, str]] = [
            (schema, operation) for operation, answers in self.documented.items() for schema in answers.values()
        ]
        seen: set[str] = set()
        while waiting:
            schema, place = self._resolve(*waiting.pop())
            if "properties" in schema and place in seen:
                continue
            seen.add(place)
            required = schema.get("required", ())
            for name, value in schema.get("properties", {}).items():
                if name in required and "null" in value.get("type", ()):
                    found.add(f"{place}.{name}")
                waiting.append((value, f"{place}.{name}"))
            waiting += [(one, f"{place}[]") for one in _inner(schema)]
        return found

    def _fields(self, value: JSON, schema: JsonObject, place: str) -> Iterator["Field"]:
        schema, place = self._resolve(schema, place)
        match value:
            case dict() if "properties" in schema:
                is_open = "additionalProperties" in schema
                for name, one in value.items():
                    known = schema["properties"].get(name)
                    yield Field(name=f"{place}.{name}", is_null=one is None, is_known=is_open or known is not None)
                    if known is not None:
                        yield from self._fields(one, known, f"{place}.{name}")
            case list() if "items" in schema:
                for one in value:
                    yield from self._fields(one, schema["items"], f"{place}[]")

    def _resolve(self, schema: JsonObject, place: str) -> tuple[JsonObject, str]:
        """Follow references: an object that has a name is known by it."""
        while "$ref" in schema:
            place = schema["$ref"].rpartition("/")[2]
            schema = self.document["components"]["schemas"][place]
        return schema, place


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of an answer."""

    name: str
    is_null: bool
    is_known: bool
    """Whether the document has it."""


def _inner(schema: JsonObject) -> Iterator[JsonObject]:
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            yield schema[name]
    for name in ("anyOf", "oneOf", "allOf"):
        yield from schema.get(name, ())
