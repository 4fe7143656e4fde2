"""Environments and API tokens."""

import re
from datetime import UTC, datetime
from typing import Final

from marshmallow import Schema, ValidationError, fields, validate

from app.api.schemas.fields import Id, Input, ShownOnce, Time, make_list_query
from app.api.schemas.save_warnings import Warned
from app.engine.objects.environments import Role

_ROLES: Final = validate.OneOf(list(Role), error=f"expected one of: {', '.join(Role)}")


def _is_to_come(moment: datetime) -> None:
    if moment <= datetime.now(UTC):
        raise ValidationError("expected a time that is still to come")


class Environment(Schema):
    """An environment."""

    id = Id()
    name = fields.String()
    created_at = Time()
    updated_at = Time()


class Token(Warned):
    """An API token, without its secret."""

    id = Id()
    name = fields.String()
    role = fields.String(metadata={"enum": list(Role)})
    environment_id = Id()
    created_by = Id(allow_none=True, metadata={"description": "The token that created it; null is the command line."})
    expires_at = Time(allow_none=True)
    last_used_at = Time(allow_none=True, metadata={"description": "To the minute."})
    created_at = Time()
    updated_at = Time()


class CreatedToken(Token, ShownOnce):
    """An API token with its secret, which is shown only here."""

    token = fields.String()


class EnvironmentPatch(Input):
    """A change of the token's environment."""

    name = fields.String(
        validate=validate.And(
            validate.Length(1, 200, error="expected 1 to 200 characters"),
            validate.Regexp(re.compile(r"\S"), error="expected more than blanks"),
        ),
        metadata={
            "description": "Its name at the command line; unique among environments.",
            "minLength": 1,
            "maxLength": 200,
            "pattern": r"\S",
        },
    )


class NewToken(Input):
    """A token to create."""

    name = fields.String(required=True, validate=validate.Length(1, 200, error="expected 1 to 200 characters"))
    role = fields.String(required=True, validate=_ROLES, metadata={"enum": list(Role)})
    expires_at = Time(
        allow_none=True,
        validate=_is_to_come,
        metadata={"description": "When it expires: by default, and at the latest, with the token that creates it."},
    )
    environment_id = Id(metadata={"description": "The token's own environment is the only one."})


EnvironmentQuery = make_list_query("EnvironmentQuery", {"name": fields.String()}, sorts=("updated_at", "name"))
TokenQuery = make_list_query(
    "TokenQuery",
    {"name": fields.String(), "role": fields.String(validate=_ROLES), "created_by": Id(), "environment_id": Id()},
    sorts=("updated_at", "name"),
)
