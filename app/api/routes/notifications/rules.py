"""``/notification-rule``: what notification destinations are notified of."""

from app.api.parsing.parsing import Body
from app.api.parsing.preconditions import if_match
from app.api.resources.resource import Resource
from app.api.resources.services import environment, services
from app.api.resources.views import Answer, answer_created, read_filters, show_page, show_plain
from app.api.schemas.fields import Deleted, page_of
from app.api.schemas.notifications import rules as schemas
from app.engine.json_types import JsonObject
from app.engine.objects.environments import Role

notification_rules = Resource(
    "notification-rule", description="What notification destinations are notified of", changes=Role.ADMIN
)


@notification_rules.serves("POST", body=schemas.NewNotificationRule, answer=schemas.NotificationRule, status=201)
def create_notification_rule(body: Body) -> Answer:
    """Create a rule; from its first on, a destination is notified only of what its rules watch."""
    return answer_created(show_plain(services().notifications.rules.create(environment(), body.fields, body.faults)))


@notification_rules.serves("GET", query=schemas.NotificationRuleQuery, answer=page_of(schemas.NotificationRule))
def list_notification_rules(query: JsonObject) -> Answer:
    """List notification rules, newest first."""
    return show_page(services().notifications.rules.list(environment(), read_filters(query)), show_plain)


@notification_rules.serves("GET", "/<id>", answer=schemas.NotificationRule)
def get_notification_rule(id: str) -> Answer:
    """Show a notification rule."""
    return show_plain(services().notifications.rules.get(environment(), id))


@notification_rules.serves("PATCH", "/<id>", body=schemas.NotificationRulePatch, answer=schemas.NotificationRule)
def update_notification_rule(body: Body, id: str) -> Answer:
    """Change a rule's label, its bounds, or whether it watches."""
    rules = services().notifications.rules
    return show_plain(rules.update(environment(), id, body.fields, body.faults, seen=if_match()))


@notification_rules.serves("DELETE", "/<id>", answer=Deleted)
def delete_notification_rule(id: str) -> Answer:
    """Remove a rule; what it has found is no longer sent."""
    return {"id": services().notifications.rules.delete(environment(), id, seen=if_match())}
