"""Entries of the audit log."""

from typing import Final

from marshmallow import Schema, fields, validate

from app.actors import ActorKind
from app.api.schemas.fields import Id, JsonObjectField, Time, make_list_query
from app.engine.json_types import JsonObject

_KINDS: Final = [str(kind) for kind in ActorKind]
_BEFORE: Final[JsonObject] = {"description": "Of what has changed, what was there; null when it was created."}
_AFTER: Final[JsonObject] = {"description": "What is there instead; null when it was deleted."}


class AuditEntry(Schema):
    """A change, and who made it. Of a secret it shows only that it has changed."""

    id = Id()
    environment_id = Id()
    created_at = Time()
    action = fields.String(metadata={"description": "Such as `webhook.updated` or `sync_job_run.stopped`."})
    object_type = fields.String()
    object_id = fields.String()
    integrated_account_id = Id(allow_none=True, metadata={"description": "The account that the object belongs to."})
    actor_kind = fields.String(metadata={"enum": _KINDS})
    actor_id = Id(allow_none=True, metadata={"description": "The API token, or the account whose token it was."})
    actor_name = fields.String(allow_none=True)
    operation = fields.String(allow_none=True, metadata={"description": "The route that was called."})
    request_id = Id(allow_none=True, metadata={"description": "What the answer had as X-Request-Id."})
    remote_address = fields.String(allow_none=True)
    before = JsonObjectField(allow_none=True, metadata=_BEFORE)
    after = JsonObjectField(allow_none=True, metadata=_AFTER)


AuditQuery = make_list_query(
    "AuditQuery",
    {
        "action": fields.String(),
        "object_type": fields.String(),
        "object_id": fields.String(),
        "integrated_account_id": Id(),
        "actor_kind": fields.String(validate=validate.OneOf(_KINDS), metadata={"enum": _KINDS}),
        "actor_id": Id(),
    },
    times=("created_at",),
)
