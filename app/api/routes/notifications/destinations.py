"""``/notification-destination``: where people are notified of what is wrong."""

from http import HTTPStatus

from app.api.documents.operations import document_answers
from app.api.parsing.parsing import Body
from app.api.parsing.preconditions import if_match
from app.api.resources.resource import Resource
from app.api.resources.services import environment, services
from app.api.resources.views import Answer, answer_created, read_filters, show_page, show_plain
from app.api.schemas.fields import Deleted, page_of
from app.api.schemas.notifications import destinations as schemas
from app.engine.json_types import JsonObject
from app.engine.notifications.destination_config import list_secrets, show_config
from app.engine.objects.environments import Role
from app.engine.objects.notifications import NotificationDestination, NotificationType

notification_destinations = Resource(
    "notification-destination", description="Where people are notified of what is wrong", changes=Role.ADMIN
)


@notification_destinations.serves(
    "POST", body=schemas.NewNotificationDestination, answer=schemas.CreatedNotificationDestination, status=201
)
def create_notification_destination(body: Body) -> Answer:
    """Create a notification destination; without rules it is notified of what nobody should miss."""
    made = services().notifications.destinations.create(environment(), body.fields, body.faults)
    secret = made.config.get("secret") if made.type is NotificationType.WEBHOOK else None
    return answer_created({**_show(made), "secret": secret})


@notification_destinations.serves(
    "GET", query=schemas.NotificationDestinationQuery, answer=page_of(schemas.NotificationDestination)
)
def list_notification_destinations(query: JsonObject) -> Answer:
    """List notification destinations, newest first."""
    return show_page(services().notifications.destinations.list(environment(), read_filters(query)), _show)


@notification_destinations.serves("GET", "/<id>", answer=schemas.NotificationDestination)
def get_notification_destination(id: str) -> Answer:
    """Show a notification destination without its secrets."""
    return _show(services().notifications.destinations.get(environment(), id))


@notification_destinations.serves(
    "PATCH", "/<id>", body=schemas.NotificationDestinationPatch, answer=schemas.NotificationDestination
)
def update_notification_destination(body: Body, id: str) -> Answer:
    """Change a notification destination; its config is merged key by key, and checked as a whole."""
    found = services().notifications.destinations
    return _show(found.update(environment(), id, body.fields, body.faults, seen=if_match()))


@notification_destinations.serves("DELETE", "/<id>", answer=Deleted)
def delete_notification_destination(id: str) -> Answer:
    """Remove a notification destination with its rules."""
    return {"id": services().notifications.destinations.delete(environment(), id, seen=if_match())}


@notification_destinations.serves(
    "POST", "/<id>/test", answer=schemas.NotificationTest, documented=document_answers(HTTPStatus.BAD_GATEWAY)
)
def test_notification_destination(id: str) -> Answer:
    """Send a test message now, and return what was answered."""
    return {"success": True, "data": services().notifications.destinations.test(environment(), id)}


def _show(destination: NotificationDestination) -> JsonObject:
    config, kind = destination.config, destination.type
    shown = show_plain(destination)
    return {**shown, "type": str(kind), "config": show_config(kind, config), "secrets": list_secrets(kind, config)}
