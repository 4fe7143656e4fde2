"""Warnings in the answers to changes: what is probably not meant, or has consequences."""

from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any, TypeVar

import flask
from marshmallow import Schema, fields

from app.api.schemas.json_kinds import MAY_LACK
from app.engine.json_types import JSON, JsonObject
from app.engine.known_keys.judging import KeyNote

View = TypeVar("View", bound=Callable[..., Any])


class SaveWarning(Schema):
    """Something that is probably not meant, or has consequences."""

    code = fields.String(
        metadata={
            "description": "`unknown_field`, `not_served`, `unknown_placeholder`, `unfilled_text`, `unknown_method`, "
            "or `key_changed`: held records get another key."
        }
    )
    path = fields.String(metadata={MAY_LACK: True, "description": "Where in the body it is."})
    resource = fields.String(metadata={MAY_LACK: True, "description": "Whose records get another key."})
    accounts = fields.Integer(metadata={MAY_LACK: True, "description": "How many have records of it."})
    message = fields.String()


class Warned(Schema):
    """An answer that may have warnings."""

    warnings = fields.List(
        fields.Nested(SaveWarning),
        metadata={MAY_LACK: True, "description": "In the answer to a change that calls for some."},
    )

    def get_attribute(self, obj: JsonObject, attr: str, default: JSON) -> JSON:
        """Return a value of an answer, which views make as a dict."""
        return obj.get(attr, default)


def add_notes(notes: Iterable[KeyNote]) -> None:
    """Add notes to the answer if it is a success."""
    flask.g.setdefault("key_notes", []).extend(notes)


def with_notes(view: View) -> View:
    """Make a view's answer show the notes that were added."""

    @wraps(view)
    def call(*arguments: Any, **path: Any) -> Any:
        answer = view(*arguments, **path)
        notes: list[KeyNote] = flask.g.pop("key_notes", [])
        if not notes:
            return answer
        body, *rest = answer if isinstance(answer, tuple) else (answer,)
        if not isinstance(body, dict):
            return answer
        before: list[JsonObject] = body.get("warnings", [])
        shown = add_warnings(body, [*before, *(one.to_json() for one in notes)])
        return (shown, *rest) if rest else shown

    return call  # type: ignore[return-value]


def add_warnings(body: JsonObject, warnings: Sequence[JsonObject]) -> JsonObject:
    """Return an answer with its warnings, if there are any."""
    if not warnings:
        return body
    flask.g.is_warned = True
    return {**body, "warnings": list(warnings)}


def take_is_warned() -> bool:
    """Whether the answer has warnings, so that its ETag is not that of the object; resets that."""
    return bool(flask.g.pop("is_warned", False))
