"""Sync jobs, integrations, integrated accounts and webhooks."""

import re
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from marshmallow import Schema, ValidationError, fields, validate

from app.api.schemas.documented import ARGS_SCHEMA, RESOURCE_LIST, STORED_RESOURCES
from app.api.schemas.embedded import INSTALLED, EmbeddedInstallation, EmbeddedIntegration
from app.api.schemas.fields import (
    Flag,
    Id,
    Input,
    JsonObjectField,
    Reasons,
    Shapes,
    ShownOnce,
    SortedListing,
    Time,
    Whole,
    narrowed,
)
from app.api.schemas.warned import Warned
from app.engine.json_types import JSON
from app.engine.known_keys.of_integrations import INTEGRATION
from app.engine.known_keys.of_items import ITEMS
from app.engine.known_keys.of_unified import OVERRIDES
from app.engine.status import AccountStatus

_TIMES: Final = ("created_at", "updated_at")
_LONGEST_OVERLAP_SECONDS = 30 * 24 * 3600
_TEXT: Final = validate.Length(min=1, max=1000)
SLUG: Final = validate.Regexp(
    re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z"),
    error="expected 1 to 100 letters, digits, dots, dashes or underscores, beginning with a letter or digit",
)
_SHARING: Final = validate.OneOf(["deny", "ask", "allow"])
_OF_TEAMS: Final = dict.fromkeys(("team_id", "team", "can_install"), "there are environments, and no teams")
_WEB_ADDRESS: Final = {"pattern": r"^https?://\w\S*$"}


def _is_web_address(text: str) -> None:
    try:
        parts = urlsplit(text)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is not a number, a bracket too few
        is_usable = False
    if not is_usable or any(character.isspace() for character in text):
        raise ValidationError("expected an http or https address")


class RuntimeVersion(fields.Field[int]):
    """A version from 1 to 4; the official SDK for TypeScript sends it as text."""

    def __init__(self, **options: Any) -> None:
        kinds = [{"type": "integer", "minimum": 1, "maximum": 4}, {"type": "string", "enum": ["1", "2", "3", "4"]}]
        super().__init__(metadata={"oneOf": kinds}, **options)

    def _deserialize(self, value: JSON, attr: str | None, data: Any, **options: Any) -> int:
        if isinstance(value, bool) or value not in (1, 2, 3, 4, "1", "2", "3", "4"):
            raise ValidationError("expected a version from 1 to 4")
        return int(value)


class JobPatch(Input):
    """A change of a sync job."""

    SHAPES: ClassVar[Shapes] = {"resources": ITEMS}

    integration_name = fields.String(validate=_TEXT)
    label = fields.String(validate=_TEXT)
    args_schema = fields.Raw(metadata=ARGS_SCHEMA)
    args_validation = fields.String(allow_none=True)
    resources = fields.Raw(metadata=RESOURCE_LIST)
    default_runtime_version = RuntimeVersion()
    mutex_key = fields.String(allow_none=True)
    state_key = fields.String(allow_none=True)
    overlap_seconds = Whole(
        allow_none=True,
        validate=validate.Range(0, 30 * 24 * 3600, error="expected seconds from 0 to 2592000"),
        metadata={"description": "How far increments reach back before the last one's upper bound; null: 120."},
    )


class NewJob(JobPatch):
    """A sync job to create."""

    integration_name = fields.String(required=True, validate=_TEXT)


class Job(Warned):
    """A sync job."""

    id = Id()
    integration_name = fields.String()
    label = fields.String()
    args_schema = JsonObjectField()
    args_validation = fields.String(allow_none=True)
    resources = fields.Raw(metadata=STORED_RESOURCES)
    default_runtime_version = fields.Integer()
    mutex_key = fields.String(allow_none=True)
    state_key = fields.String(allow_none=True)
    overlap_seconds = fields.Integer(allow_none=True)
    environment_id = Id()
    created_at = Time()
    updated_at = Time()


class JobVerdict(Warned):
    """That a job has no fault; one that has is answered 400, as its creation would be."""

    valid = fields.Boolean(validate=validate.Equal(True))


JobQuery = narrowed(
    SortedListing,
    "JobQuery",
    {"integration_name": fields.String(), "label": fields.String(), "environment_id": Id()},
    times=_TIMES,
    sorts=("updated_at", "label", "integration_name"),
)


class IntegrationPatch(Input):
    """A change of an integration; its config is merged deeply, and null takes a key away."""

    SHAPES: ClassVar[Shapes] = {"config": INTEGRATION}
    NOT_SERVED: ClassVar[Reasons] = _OF_TEAMS

    name = fields.String(validate=SLUG, metadata={"description": "Can not be changed; the present one is accepted."})
    config = fields.Raw(metadata={"component": "IntegrationConfigChange"})
    category = fields.String(allow_none=True)
    is_beta = Flag()
    sharing = fields.String(validate=_SHARING)
    version = Whole(metadata={"description": "The version that you saw; refused when it is another by now."})


class NewIntegration(Input):
    """An integration to create."""

    SHAPES: ClassVar[Shapes] = {"config": INTEGRATION}
    NOT_SERVED: ClassVar[Reasons] = _OF_TEAMS

    name = fields.String(required=True, validate=SLUG)
    config = fields.Raw(required=True, metadata={"component": "IntegrationConfig"})
    category = fields.String(allow_none=True)
    is_beta = Flag()
    sharing = fields.String(validate=_SHARING)


class Integration(Warned):
    """An integration; secrets in its config are masked."""

    id = Id()
    name = fields.String()
    category = fields.String(allow_none=True)
    is_beta = fields.Boolean()
    sharing = fields.String()
    config = JsonObjectField(metadata={"component": "IntegrationConfig"})
    version = fields.Integer()
    installed_environment = fields.List(Id(), metadata=INSTALLED)
    environment_id = Id()
    created_at = Time()
    updated_at = Time()


IntegrationQuery = narrowed(
    SortedListing,
    "IntegrationQuery",
    {"name": fields.String(), "sharing": fields.String(), "environment_id": Id()},
    times=_TIMES,
    sorts=("updated_at", "name"),
)


class AccountPatch(Input):
    """A change of an integrated account; its context is merged at the top level."""

    SHAPES: ClassVar[Shapes] = {"integration_override": INTEGRATION, "unified_model_override": OVERRIDES}
    NOT_SERVED: ClassVar[Reasons] = {
        "region": "everything is in this installation's own database",
        "is_sandbox": "every account is called as the others are",
        "object_store_context_fields": "the whole context is in Postgres",
    }

    tenant_id = fields.String(validate=_TEXT)
    authentication_method = fields.String(validate=_TEXT)
    context = JsonObjectField()
    status = fields.String(
        metadata={
            "enum": [*AccountStatus],
            "description": "inactive puts it to rest, active ends that; the present one is accepted.",
        }
    )
    unified_model_override = JsonObjectField(
        metadata={
            "component": "MappingOverrides",
            "description": "`{model: {resource: {method: mapping}}}`, laid over the integration's mappings.",
        }
    )
    integration_override = JsonObjectField(
        metadata={
            "component": "IntegrationConfigChange",
            "description": "Laid over the integration's config as this account's environment uses it.",
        }
    )


class NewAccount(AccountPatch):
    """An integrated account to create, of an integration that is told by its name or as the environment has it."""

    integration_name = fields.String(validate=_TEXT)
    environment_integration_id = Id(metadata={"description": "Instead of integration_name."})
    tenant_id = fields.String(required=True, validate=_TEXT)


class AccountRefresh(Input):
    """The account whose token is renewed."""

    id = Id(required=True)


class ForbiddenError(Schema):
    """A call that the account's API answered with 403."""

    resource = fields.String()
    method = fields.String()
    missing_scopes = fields.List(fields.String())
    occurred_at = fields.String()


class Account(Warned):
    """An integrated account; its credentials are masked."""

    id = Id()
    tenant_id = fields.String()
    integration_id = Id()
    integration_name = fields.String()
    integration = fields.Nested(EmbeddedIntegration)
    environment_integration_id = Id(
        allow_none=True, metadata={"description": "null where the environment uses the integration as it is."}
    )
    environment_integration = fields.Nested(EmbeddedInstallation, allow_none=True)
    authentication_method = fields.String()
    is_sandbox = fields.Boolean(metadata={"description": "false: there are no sandbox accounts."})
    status = fields.String(
        metadata={
            "enum": [*AccountStatus],
            "description": "inactive: nothing is asked of its API until it is active again; runs wait.",
        }
    )
    last_error = fields.String(allow_none=True)
    last_forbidden_error = fields.Nested(
        ForbiddenError, allow_none=True, metadata={"description": "The last call that was answered 403."}
    )
    context = JsonObjectField()
    unified_model_override = JsonObjectField(metadata={"component": "MappingOverrides"})
    integration_override = JsonObjectField(metadata={"component": "IntegrationConfigChange"})
    environment_id = Id()
    created_at = Time()
    updated_at = Time()


class WebhookPatch(Input):
    """A change of a webhook."""

    target_url = fields.String(validate=_is_web_address, metadata=_WEB_ADDRESS)
    is_active = Flag()
    event_types = fields.List(
        fields.String(validate=_TEXT), allow_none=True, metadata={"description": "null subscribes to every event."}
    )
    signature_encoding = fields.String(validate=validate.OneOf(["hex", "base64"]))
    changes_only = Flag(
        metadata={"description": "Runs that begin from now on send it what has changed since it was last told."}
    )


class NewWebhook(WebhookPatch):
    """A webhook to create."""

    target_url = fields.String(required=True, validate=_is_web_address, metadata=_WEB_ADDRESS)


class Webhook(Warned):
    """A webhook."""

    id = Id()
    target_url = fields.String()
    is_active = fields.Boolean()
    event_types = fields.List(fields.String(), allow_none=True)
    signature_encoding = fields.String()
    changes_only = fields.Boolean()
    failing_since = Time(allow_none=True, metadata={"description": "Its first failure after its last success."})
    disabled_reason = fields.String(
        allow_none=True, metadata={"description": "Why Ferryman made it inactive; is_active: true resumes."}
    )
    previous_secret_expires_at = Time(
        allow_none=True, metadata={"description": "Until when the secret before the present one signs too."}
    )
    environment_id = Id()
    created_at = Time()
    updated_at = Time()


class CreatedWebhook(Webhook, ShownOnce):
    """A webhook with its secret, which is shown this once."""

    secret = fields.String()


class SecretRotation(Input):
    """How to replace the secret of a webhook."""

    overlap_seconds = Whole(
        validate=validate.Range(min=0, max=_LONGEST_OVERLAP_SECONDS),
        metadata={"description": "How long the present secret signs beside the new one; 0 ends it at once."},
    )


class WebhookTest(Input):
    """The webhook that a test event is sent to."""

    id = Id(required=True)


WebhookQuery = narrowed(
    SortedListing, "WebhookQuery", {"is_active": Flag(), "environment_id": Id()}, times=_TIMES, sorts=("updated_at",)
)
