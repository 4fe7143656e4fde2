"""What a change leads to that whoever makes it should know, told in its answer."""

from collections.abc import Sequence

import flask
from marshmallow import Schema, fields

from app.engine.json_types import JsonObject


class KeyWarning(Schema):
    """Held records that get another key by a change."""

    code = fields.String()
    resource = fields.String()
    accounts = fields.Integer(metadata={"description": "How many have records of it."})
    message = fields.String()


class Warned(Schema):
    """Something whose changes may have consequences."""

    warnings = fields.List(
        fields.Nested(KeyWarning), metadata={"description": "In the answer to a change that has such consequences."}
    )


def warned(body: JsonObject, warnings: Sequence[JsonObject]) -> JsonObject:
    """Show what was changed, with its warnings if there are any."""
    if not warnings:
        return body
    flask.g.is_warned = True
    return {**body, "warnings": list(warnings)}


def take_warned() -> bool:
    """Whether the answer tells more than the thing itself, and has to be tagged as that is; asked once."""
    return bool(flask.g.pop("is_warned", False))
