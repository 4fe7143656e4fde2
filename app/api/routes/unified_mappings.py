"""``/unified-model-resource-method`` and ``/environment-unified-model-resource-method``: mappings, a layer each."""

from collections.abc import Callable

from marshmallow import Schema

from app.api.parsing.parsing import Body
from app.api.parsing.preconditions import if_match
from app.api.resources.resource import Resource
from app.api.resources.services import environment, services
from app.api.resources.views import Answer, answer_created, read_filters, show_page, show_plain
from app.api.schemas import unified as schemas
from app.api.schemas.fields import Deleted, page_of
from app.engine.json_types import JsonObject
from app.engine.objects.environments import Role
from app.services.catalog import known_names
from app.services.unified.methods import MappingService

unified_mappings = Resource(
    "unified-model-resource-method", description="How integrations implement unified APIs", changes=Role.ADMIN
)
environment_mappings = Resource(
    "environment-unified-model-resource-method",
    description="What an environment changes about mappings",
    changes=Role.ADMIN,
)


def _serve(
    resource: Resource,
    mappings: Callable[[], MappingService],
    *,
    new: type[Schema],
    answer: type[Schema],
    query: type[Schema],
) -> None:
    """Serve the mappings of one layer."""

    @resource.serves("POST", body=new, answer=answer, status=201)
    def create_mapping(body: Body) -> Answer:
        """Create a mapping; the faults of its expressions include their positions."""
        faults = body.judge(known_names.judge_mapping(body.fields.get("config")))
        return answer_created(show_plain(mappings().create(environment(), body.fields, faults)))

    @resource.serves("GET", query=query, answer=page_of(answer))
    def list_mappings(query: JsonObject) -> Answer:
        """List mappings, newest first."""
        return show_page(mappings().list(environment(), read_filters(query)), show_plain)

    @resource.serves("GET", "/<id>", answer=answer)
    def get_mapping(id: str) -> Answer:
        """Show a mapping."""
        return show_plain(mappings().get(environment(), id))

    @resource.serves("PATCH", "/<id>", body=schemas.MappingPatch, answer=answer)
    def update_mapping(body: Body, id: str) -> Answer:
        """Change a mapping: its config is merged deeply, and null takes a key away."""
        version = body.fields.pop("version", None)
        faults = body.judge(known_names.judge_mapping(body.fields.get("config")))
        changed = mappings().update(environment(), id, body.fields, faults, version=version, seen=if_match())
        return show_plain(changed)

    @resource.serves("DELETE", "/<id>", answer=Deleted)
    def delete_mapping(id: str) -> Answer:
        """Remove a mapping."""
        return {"id": mappings().delete(environment(), id, seen=if_match())}


_serve(
    unified_mappings,
    lambda: services().unified.base_mappings,
    new=schemas.NewMapping,
    answer=schemas.UnifiedMapping,
    query=schemas.MappingQuery,
)
_serve(
    environment_mappings,
    lambda: services().unified.environment_mappings,
    new=schemas.NewEnvironmentMapping,
    answer=schemas.EnvironmentMapping,
    query=schemas.EnvironmentMappingQuery,
)
