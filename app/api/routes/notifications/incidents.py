"""``/incident``: what is wrong, and what was."""

from app.api.resources.resource import Resource
from app.api.resources.services import environment, services
from app.api.resources.views import Answer, read_filters, show_page, show_plain
from app.api.schemas.fields import page_of
from app.api.schemas.notifications import incidents as schemas
from app.engine.json_types import JsonObject
from app.engine.objects.environments import Role

incidents = Resource("incident", description="What is wrong, and what was", changes=Role.ADMIN)


@incidents.serves("GET", query=schemas.IncidentQuery, answer=page_of(schemas.Incident))
def list_incidents(query: JsonObject) -> Answer:
    """List what is wrong, and what was, as notification destinations are notified of it; the newest first."""
    filters = read_filters(query, times=("created_at", "opened_at", "resolved_at"))
    return show_page(services().notifications.incidents.list(environment(), filters), show_plain)


@incidents.serves("GET", "/<id>", answer=schemas.Incident)
def get_incident(id: str) -> Answer:
    """Show an incident."""
    return show_plain(services().notifications.incidents.get(environment(), id))
