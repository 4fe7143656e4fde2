"""``/schema``: the typed columns of records."""

from app.api.parsing.parsing import Body
from app.api.parsing.preconditions import if_match
from app.api.resources.resource import Resource
from app.api.resources.services import environment, services
from app.api.resources.views import Answer, read_filters, show_page
from app.api.schemas import resource_schemas
from app.api.schemas.fields import page_of
from app.engine.json_types import JsonObject
from app.engine.objects.environments import Role
from app.engine.schemas.stored import show_schema

schemas = Resource("schema", description="The typed columns of records", changes=Role.ADMIN)


@schemas.serves("GET", query=resource_schemas.ResourceSchemaQuery, answer=page_of(resource_schemas.ResourceSchema))
def list_schemas(query: JsonObject) -> Answer:
    """List the schemas of resources, the newest first."""
    return show_page(services().landing.schemas.list(environment(), read_filters(query)), show_schema)


@schemas.serves("GET", "/<id>", answer=resource_schemas.ResourceSchema)
def get_schema(id: str) -> Answer:
    """Show the columns of a resource, and their history."""
    return show_schema(services().landing.schemas.get(environment(), id))


@schemas.serves("PATCH", "/<id>", body=resource_schemas.ResourceSchemaPatch, answer=resource_schemas.ResourceSchema)
def update_schema(body: Body, id: str) -> Answer:
    """Change what becomes of new keys, or name, type and ignore columns; no view, table or column is taken away."""
    changed = services().landing.schemas.update(environment(), id, body.fields, body.faults, seen=if_match())
    return show_schema(changed)
