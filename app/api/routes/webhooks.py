"""``/webhook``, and the deliveries below it."""

from http import HTTPStatus

from app.api.documents.operations import document_answers
from app.api.parsing.parsing import Body
from app.api.parsing.preconditions import if_match
from app.api.resources.resource import Resource
from app.api.resources.services import environment, services
from app.api.resources.views import Answer, answer_created, path_id, read_filters, show_page, show_plain
from app.api.schemas import webhooks as schemas
from app.api.schemas.fields import Deleted, Success, page_of
from app.engine.json_types import JsonObject
from app.engine.objects.environments import Role
from app.engine.objects.webhooks import Webhook

webhooks = Resource("webhook", description="Where RapidBridge runs deliver", changes=Role.ADMIN, actions=("test",))


@webhooks.serves("POST", body=schemas.NewWebhook, answer=schemas.CreatedWebhook, status=201)
def create_webhook(body: Body) -> Answer:
    """Create a webhook; only this answer shows the secret that signs its deliveries."""
    return answer_created(_show_with_secret(services().webhooks.create(environment(), body.fields, body.faults)))


@webhooks.serves("GET", query=schemas.WebhookQuery, answer=page_of(schemas.Webhook))
def list_webhooks(query: JsonObject) -> Answer:
    """List webhooks, newest first."""
    return show_page(services().webhooks.list(environment(), read_filters(query)), _show)


@webhooks.serves("GET", "/<id>", answer=schemas.Webhook)
def get_webhook(id: str) -> Answer:
    """Show a webhook."""
    return _show(services().webhooks.get(environment(), id))


@webhooks.serves("PATCH", "/<id>", body=schemas.WebhookPatch, answer=schemas.Webhook)
def update_webhook(body: Body, id: str) -> Answer:
    """Change a webhook; its secret stays."""
    return _show(services().webhooks.update(environment(), id, body.fields, body.faults, seen=if_match()))


@webhooks.serves("POST", "/<id>/rotate-secret", body=schemas.SecretRotation, answer=schemas.CreatedWebhook)
def rotate_webhook_secret(body: Body, id: str) -> Answer:
    """Replace a webhook's secret by a new one, which only this answer shows; both sign for a while."""
    return _show_with_secret(services().webhooks.rotate_secret(environment(), id, **body.require_valid()))


@webhooks.serves("DELETE", "/<id>", answer=Deleted)
def delete_webhook(id: str) -> Answer:
    """Remove a webhook."""
    return {"id": services().webhooks.delete(environment(), id, seen=if_match())}


@webhooks.serves(
    "POST",
    "/test",
    body=schemas.WebhookTest,
    answer=Success,
    role=Role.RUN,
    documented=document_answers(HTTPStatus.BAD_GATEWAY),
)
def test_webhook(body: Body) -> Answer:
    """Send a test event to a webhook."""
    services().webhooks.test(environment(), body.require_valid()["id"])
    return {"success": True}


@webhooks.serves("GET", "/<id>/deliveries", query=schemas.DeliveryQuery, answer=page_of(schemas.Delivery))
def list_webhook_deliveries(query: JsonObject, id: str) -> Answer:
    """List a webhook's deliveries, newest first, without their bodies."""
    filters = read_filters(query, times=("created_at", "delivered_at"), renamed={"sync_job_run_id": "run_id"})
    return show_page(services().deliveries.list(environment(), id, filters), show_plain)


@webhooks.serves("GET", "/<id>/deliveries/<delivery_id>", answer=schemas.DeliveryWithBody)
def get_webhook_delivery(id: str, delivery_id: str) -> Answer:
    """Show a delivery with what is sent."""
    found = services().deliveries.get(environment(), id, path_id("delivery", delivery_id))
    return show_plain(found)


@webhooks.serves("POST", "/<id>/deliveries/<delivery_id>/retry", answer=schemas.DeliveryWithBody, role=Role.RUN)
def retry_webhook_delivery(id: str, delivery_id: str) -> Answer:
    """Send a delivery again, or at once if it waits; its id stays the same."""
    found = services().deliveries.retry(environment(), id, path_id("delivery", delivery_id))
    return show_plain(found)


def _show(webhook: Webhook) -> JsonObject:
    return {name: value for name, value in _show_with_secret(webhook).items() if name != "secret"}


def _show_with_secret(webhook: Webhook) -> JsonObject:
    return {name: value for name, value in show_plain(webhook).items() if name != "previous_secret"}
