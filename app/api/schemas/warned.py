"""What whoever saves something should know of it, shown in its answer."""

from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any, TypeVar

import flask
from marshmallow import Schema, fields

from app.api.schemas.json_kinds import MAY_LACK
from app.engine.json_types import JsonObject
from app.engine.known_keys.judging import KeyNote

View = TypeVar("View", bound=Callable[..., Any])


class SaveWarning(Schema):
    """Something that is probably not meant, or has consequences."""

    code = fields.String(
        metadata={
            "description": "`unknown_field`, `not_served`, `unknown_placeholder`, `unknown_method`, or `key_changed`: "
            "held records get another key."
        }
    )
    path = fields.String(metadata={MAY_LACK: True, "description": "Where in the body it is."})
    resource = fields.String(metadata={MAY_LACK: True, "description": "Whose records get another key."})
    accounts = fields.Integer(metadata={MAY_LACK: True, "description": "How many have records of it."})
    message = fields.String()


class Warned(Schema):
    """Something that can be saved."""

    warnings = fields.List(
        fields.Nested(SaveWarning),
        metadata={MAY_LACK: True, "description": "In the answer to a change that calls for some."},
    )


def note(notes: Iterable[KeyNote]) -> None:
    """Have something shown in the answer, should it be a success."""
    flask.g.setdefault("key_notes", []).extend(notes)


def with_notes(view: View) -> View:
    """Have a view's answer show what was noted."""

    @wraps(view)
    def noted(*arguments: Any, **path: Any) -> Any:
        answer = view(*arguments, **path)
        notes: list[KeyNote] = flask.g.pop("key_notes", [])
        if not notes:
            return answer
        body, *rest = answer if isinstance(answer, tuple) else (answer,)
        if not isinstance(body, dict):
            return answer
        before: list[JsonObject] = body.get("warnings", [])
        shown = warned(body, [*before, *(one.to_json() for one in notes)])
        return (shown, *rest) if rest else shown

    return noted  # type: ignore[return-value]


def warned(body: JsonObject, warnings: Sequence[JsonObject]) -> JsonObject:
    """Show what was changed, with its warnings if there are any."""
    if not warnings:
        return body
    flask.g.is_warned = True
    return {**body, "warnings": list(warnings)}


def take_warned() -> bool:
    """Whether the answer tells more than the thing itself, and has to be tagged as that is; asked once."""
    return bool(flask.g.pop("is_warned", False))
