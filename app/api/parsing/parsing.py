"""Read requests: JSON of any content type, queries as all official SDKs write them, with all faults at once."""

import functools
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, Final, NoReturn, TypeVar

import flask
from marshmallow import Schema, ValidationError
from webargs.flaskparser import FlaskParser
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import RequestEntityTooLarge

from app.api.parsing import body_keys, preferences
from app.api.parsing.body_keys import join_path
from app.api.schemas.fields import Input
from app.api.schemas.save_warnings import add_notes
from app.engine.errors import Failure, InvalidInputError
from app.engine.json_types import JSON, JsonObject
from app.engine.known_keys.judging import KeyFindings

View = TypeVar("View", bound=Callable[..., Any])

MAX_DEPTH: Final = 64
_LARGEST_INTEGER: Final = 2**63 - 1
_ARRAY_SUFFIX: Final = re.compile(r"(\[in\])?\[\d*\]$")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_UNKNOWN: Final = "is not known here, and 'Prefer: handling=strict' refuses what is not"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant)


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body: the fields that are valid, and the faults of the others."""

    fields: JsonObject
    faults: tuple[Failure, ...] = ()

    def require_valid(self) -> JsonObject:
        """Return the fields; raise InvalidInputError when there is a fault."""
        if self.faults:
            raise InvalidInputError(self.faults)
        return self.fields

    def judge(self, *judgements: KeyFindings) -> tuple[Failure, ...]:
        """Return all faults, those of judgements too; their notes are shown in the answer."""
        add_notes(one for judgement in judgements for one in judgement.notes)
        return (*self.faults, *(one for judgement in judgements for one in judgement.failures))

    def with_faults(self, faults: Sequence[Failure]) -> "Body":
        """Add faults that were found elsewhere in the request."""
        return replace(self, faults=(*self.faults, *faults))


class RequestParser(FlaskParser):
    """Loads bodies, to whose faults services add theirs, and queries, whose faults are raised."""

    DEFAULT_VALIDATION_STATUS = 400

    def parse(self, argmap: Any, req: flask.Request | None = None, *, location: str | None = None, **_: Any) -> Any:
        """Load a ``Body`` from the body, or a dict from the query."""
        schema = self._get_schema(argmap, flask.request)
        if location == "json":
            return load_body(schema, read_json_object(flask.request), is_strict=preferences.is_strict())
        unknown = _unknown_parameters(_known_names(schema)) if preferences.is_strict() else []
        try:
            query = schema.load(_flatten_query(flask.request.args))
        except ValidationError as error:
            raise InvalidInputError([*_flatten(error.messages, ""), *unknown]) from error
        if unknown:
            raise InvalidInputError(unknown)
        return query


def check_parameters(view: View, known: Set[str]) -> View:
    """Make a view without a query refuse all but the known parameters, where its caller prefers that."""

    @wraps(view)
    def call(*bodies: Body, **path: str) -> Any:
        unknown = _unknown_parameters(known) if preferences.is_strict() else []
        if unknown and not bodies:
            raise InvalidInputError(unknown)
        return view(*(body.with_faults(unknown) for body in bodies), **path)

    return call  # type: ignore[return-value]


def _unknown_parameters(known: Set[str]) -> list[Failure]:
    keys = flask.request.args
    return [Failure(join_path("", key), _UNKNOWN) for key in keys if _ARRAY_SUFFIX.sub("[in]", key) not in known]


def read_json_object(request: flask.Request) -> JsonObject:
    """Parse a body as a JSON object, an empty one as ``{}``; raise InvalidInputError for anything else."""
    body = _json_value(request, empty={})
    if not isinstance(body, dict):
        raise InvalidInputError([Failure("", "the body is not a JSON object")])
    return body


def read_raw(request: flask.Request) -> bytes:
    """Return a body unparsed; raise RequestEntityTooLarge."""
    raw = request.get_data(cache=True)
    # Werkzeug cuts a body without a Content-Length at the limit.
    if request.content_length is None and len(raw) >= (request.max_content_length or math.inf):
        raise RequestEntityTooLarge
    return raw


def _json_value(request: flask.Request, *, empty: JSON) -> JSON:
    raw = read_raw(request)
    try:
        return _DECODER.decode(raw.decode("utf-8-sig")) if raw.strip() else empty
    except UnicodeDecodeError as error:
        raise InvalidInputError(
            [Failure("", f"the body is not UTF-8: {error.reason} at byte {error.start}")]
        ) from error
    except RecursionError as error:
        raise InvalidInputError([_depth_failure("")]) from error
    except ValueError as error:
        if "integer string" in str(error):  # Python's words for it name a function of Python's
            raise InvalidInputError([Failure("", "holds an integer of thousands of digits")]) from error
        raise InvalidInputError([Failure("", f"the body is not JSON: {error}")]) from error


def read_storable_object(request: flask.Request) -> JsonObject:
    """Return a body of any fields; raise InvalidInputError for JSON that can not be stored."""
    body = read_json_object(request)
    if failures := [failure for key, value in body.items() for failure in _find_unstorable(value, key, 1)]:
        raise InvalidInputError(failures)
    return body


def read_storable_json(request: flask.Request) -> JSON:
    """Return a body of any JSON, None when it is empty; raise as ``read_storable_object`` does."""
    body = _json_value(request, empty=None)
    if failures := list(_find_unstorable(body, "", 1)):
        raise InvalidInputError(failures)
    return body


def load_body(schema: Schema, body: JsonObject, *, is_strict: bool) -> Body:
    """Load the fields of a body that the schema knows; others are warnings, or faults where that is strict."""
    known = _known_names(schema)
    unstorable = {key: tuple(_find_unstorable(value, key, 1)) for key, value in body.items() if key in known}
    refused = {key for key, failures in unstorable.items() if failures}
    sound = {key: value for key, value in body.items() if key not in refused}
    keys = (
        body_keys.judge_body(schema, sound, known, is_strict=is_strict) if isinstance(schema, Input) else KeyFindings()
    )
    if keys.notes:
        add_notes(keys.notes)
    faults = (*(failure for failures in unstorable.values() for failure in failures), *keys.failures)
    try:
        return Body(schema.load(sound), faults)
    except ValidationError as error:
        valid = error.valid_data if isinstance(error.valid_data, dict) else {}
        messages = {key: inner for key, inner in error.messages_dict.items() if key not in refused}
        return Body(valid, (*_flatten(messages, ""), *faults))


@functools.cache
def _known_names(schema: Schema) -> Set[str]:
    names = {field.data_key or name for name, field in schema.fields.items()}
    return schema.spellings(names) if isinstance(schema, Input) else names


def _flatten_query(arguments: MultiDict[str, str]) -> dict[str, str]:
    """Flatten a query: empty is absent, the first of repeated keys counts, and ``a[]=x&a[0]=y`` means ``a[in]=x,y``."""
    query: dict[str, str] = {}
    for key, values in arguments.lists():
        given = [value for value in values if value]
        name, is_array = _ARRAY_SUFFIX.subn("[in]", key)
        if any("\0" in value for value in given):
            raise InvalidInputError([Failure(key.replace("\0", ""), "holds the character U+0000")])
        if is_array and given:
            query[name] = ",".join([*([query[name]] if name in query else []), *given])
        elif given:
            query[name] = given[0]
    return query


def _find_unstorable(value: JSON, path: str, depth: int) -> Iterator[Failure]:
    """Yield the faults of JSON that Postgres can not store."""
    if depth > MAX_DEPTH:
        yield _depth_failure(path)
        return
    match value:
        case dict():
            for key, inner in value.items():
                at = join_path(path, key)
                yield from _find_unstorable_scalar(key, at)
                yield from _find_unstorable(inner, at, depth + 1)
        case list():
            for index, inner in enumerate(value):
                yield from _find_unstorable(inner, join_path(path, str(index)), depth + 1)
        case _:
            yield from _find_unstorable_scalar(value, path)


def _find_unstorable_scalar(value: JSON, path: str) -> Iterator[Failure]:
    match value:
        case str() if "\0" in value or _SURROGATE.search(value):
            yield Failure(path, "holds U+0000 or half of a surrogate pair, which is no text")
        case float() if not math.isfinite(value):
            yield Failure(path, "is too large for a number")
        case int() if abs(value) > _LARGEST_INTEGER:
            yield Failure(path, "is an integer of more than 64 bits: send it as a text")


def _depth_failure(path: str) -> Failure:
    return Failure(path[:100], f"is nested deeper than {MAX_DEPTH} levels")


def _flatten(messages: JSON, path: str) -> Iterator[Failure]:
    """Flatten marshmallow's tree of messages."""
    match messages:
        case Mapping():
            for name, inner in messages.items():
                yield from _flatten(inner, path if name == "_schema" else join_path(path, str(name)))
        case list():
            for message in messages:
                yield from _flatten(message, path)
        case _:
            yield Failure(path, str(messages))
