"""``/tenant``: the customers whose accounts there are."""

from collections.abc import Mapping
from urllib.parse import quote

from app.api.parsing.parsing import Body
from app.api.parsing.preconditions import if_match
from app.api.resources.resource import Resource
from app.api.resources.services import environment, services
from app.api.resources.views import Answer, location, read_filters, show_page, show_plain
from app.api.schemas import tenants as schemas
from app.api.schemas.fields import Deleted, page_of
from app.engine.errors import NotFoundError
from app.engine.json_types import JsonObject
from app.engine.objects.environments import RESERVED_TENANT_ID, Role, is_tenant_id


def _place(id: str) -> Mapping[str, str]:
    """Return the columns that find a tenant by its id; none for an invalid id."""
    return {"id": id} if is_tenant_id(id) else {}


tenants = Resource(
    "tenant", description="Whose accounts there are", changes=Role.ADMIN, actions=(RESERVED_TENANT_ID,), place=_place
)


@tenants.serves("POST", body=schemas.NewTenant, answer=schemas.Tenant, status=201)
def create_tenant(body: Body) -> Answer:
    """Create a tenant; an account whose tenant does not exist creates it too."""
    made = services().tenants.create(environment(), body.fields, body.faults)
    return show_plain(made), 201, location(f"/tenant/{quote(made.id, safe='')}")


@tenants.serves("POST", f"/{RESERVED_TENANT_ID}", body=schemas.NewTenants, answer=schemas.MadeTenants)
def create_tenants(body: Body) -> Answer:
    """Create tenants; those that exist already are skipped."""
    made, skipped = services().tenants.create_all(environment(), body.fields, body.faults)
    left = [{"id": id, "reason": "already_exists"} for id in skipped]
    return {"created": [show_plain(tenant) for tenant in made], "skipped": left}


@tenants.serves("GET", query=schemas.TenantQuery, answer=page_of(schemas.Tenant))
def list_tenants(query: JsonObject) -> Answer:
    """List tenants, newest first."""
    return show_page(services().tenants.list(environment(), read_filters(query)), show_plain)


@tenants.serves("GET", "/<id>", answer=schemas.Tenant)
def get_tenant(id: str) -> Answer:
    """Show a tenant."""
    return show_plain(services().tenants.get(environment(), _check_id(id)))


@tenants.serves("PATCH", "/<id>", body=schemas.TenantPatch, answer=schemas.Tenant)
def update_tenant(body: Body, id: str) -> Answer:
    """Change a tenant's name or metadata, which is replaced whole."""
    return show_plain(
        services().tenants.update(environment(), _check_id(id), body.fields, body.faults, seen=if_match())
    )


@tenants.serves("DELETE", "/<id>", answer=Deleted)
def delete_tenant(id: str) -> Answer:
    """Remove a tenant that has no accounts."""
    return {"id": services().tenants.delete(environment(), _check_id(id), seen=if_match())}


def _check_id(id: str) -> str:
    if not is_tenant_id(id):
        raise NotFoundError("tenant", id[:300].replace("\0", ""))
    return id
