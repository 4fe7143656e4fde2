"""``/webhook``."""

from dataclasses import asdict
from typing import Any

from flask_smorest import Blueprint

from app.api.schemas import catalog as schemas
from app.api.schemas.fields import Deleted, Success, page_of
from app.api.services import environment, services
from app.api.views import created, deleted, filters_of, page, path_id
from app.engine.json_types import JsonObject
from app.engine.objects import Webhook

blueprint = Blueprint("webhook", __name__, url_prefix="/webhook", description="Where RapidBridge runs deliver")

_KIND = "webhook"


@blueprint.post("")
@blueprint.arguments(schemas.WebhookInput, error_status_code=400)
@blueprint.response(201, schemas.NewWebhook)
def create_webhook(body: JsonObject) -> Any:
    """Create a webhook."""
    webhook = services().webhooks.create(environment(), body)
    return created(asdict(webhook), webhook.id)


@blueprint.get("")
@blueprint.arguments(schemas.WebhookQuery, location="query", error_status_code=400)
@blueprint.response(200, page_of(schemas.Webhook))
def list_webhooks(query: JsonObject) -> Any:
    """List webhooks, newest first."""
    return page(services().webhooks.list(environment(), filters_of(query)), _view)


@blueprint.get("/<webhook_id>")
@blueprint.response(200, schemas.Webhook)
def get_webhook(webhook_id: str) -> Any:
    """Show a webhook."""
    return _view(services().webhooks.get(environment(), path_id(_KIND, webhook_id)))


@blueprint.patch("/<webhook_id>")
@blueprint.arguments(schemas.WebhookInput(partial=True), error_status_code=400)
@blueprint.response(200, schemas.Webhook)
def update_webhook(body: JsonObject, webhook_id: str) -> Any:
    """Change a webhook."""
    return _view(services().webhooks.update(environment(), path_id(_KIND, webhook_id), body))


@blueprint.delete("/<webhook_id>")
@blueprint.response(200, Deleted)
def delete_webhook(webhook_id: str) -> Any:
    """Remove a webhook."""
    return deleted(services().webhooks.delete(environment(), path_id(_KIND, webhook_id)))


@blueprint.post("/test")
@blueprint.arguments(schemas.WebhookTest, error_status_code=400)
@blueprint.response(200, Success)
def test_webhook(body: JsonObject) -> Any:
    """Send a test event to a webhook."""
    services().webhooks.test(environment(), body["id"])
    return {"success": True}


def _view(webhook: Webhook) -> JsonObject:
    return {name: value for name, value in asdict(webhook).items() if name != "secret"}
