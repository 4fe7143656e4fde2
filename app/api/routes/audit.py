"""``/audit-entry``: who changed what."""

from app.api.resources.resource import Resource
from app.api.resources.services import environment, services
from app.api.resources.views import Answer, read_filters, show_page, show_plain
from app.api.schemas import audit as schemas
from app.api.schemas.fields import page_of
from app.engine.json_types import JsonObject
from app.engine.objects.environments import Role

audit_entries = Resource("audit-entry", description="Who changed what", changes=Role.ADMIN)


@audit_entries.serves("GET", query=schemas.AuditQuery, answer=page_of(schemas.AuditEntry))
def list_audit_entries(query: JsonObject) -> Answer:
    """List changes of the environment's objects, newest first, with who made each and by which request."""
    return show_page(
        services().reading.audit.list(environment(), read_filters(query, times=("created_at",))), show_plain
    )


@audit_entries.serves("GET", "/<id>", answer=schemas.AuditEntry)
def get_audit_entry(id: str) -> Answer:
    """Show one change."""
    return show_plain(services().reading.audit.get(environment(), id))
