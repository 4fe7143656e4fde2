"""``/unified-model`` and ``/environment-unified-model``."""

from collections.abc import Mapping

from app.api.parsing.parsing import Body
from app.api.parsing.preconditions import if_match
from app.api.resources.embedded import show_model
from app.api.resources.resource import Resource
from app.api.resources.services import environment, services
from app.api.resources.views import Answer, answer_created, read_filters, show_page, show_plain
from app.api.schemas import unified as schemas
from app.api.schemas.fields import Deleted, page_of
from app.engine.json_types import JsonObject
from app.engine.objects.environments import Role
from app.engine.objects.unified import EnvironmentUnifiedModel, UnifiedModel

unified_models = Resource(
    "unified-model", description="Resources that mean the same at every integration", changes=Role.ADMIN
)
installed_models = Resource(
    "environment-unified-model", description="What an environment changes about unified models", changes=Role.ADMIN
)


@unified_models.serves("POST", body=schemas.NewUnifiedModel, answer=schemas.UnifiedModel, status=201)
def create_model(body: Body) -> Answer:
    """Create a unified model."""
    return answer_created(show_model(services().unified.models.create(environment(), body.fields, body.faults)))


@unified_models.serves("GET", query=schemas.UnifiedModelQuery, answer=page_of(schemas.UnifiedModel))
def list_models(query: JsonObject) -> Answer:
    """List unified models, newest first."""
    return show_page(services().unified.models.list(environment(), read_filters(query)), show_model)


@unified_models.serves("GET", "/<id>", answer=schemas.UnifiedModel)
def get_model(id: str) -> Answer:
    """Show a unified model."""
    return show_model(services().unified.models.get(environment(), id))


@unified_models.serves("PATCH", "/<id>", body=schemas.UnifiedModelPatch, answer=schemas.UnifiedModel)
def update_model(body: Body, id: str) -> Answer:
    """Change a unified model: its resources are merged deeply, and null takes a key away."""
    version = body.fields.pop("version", None)
    changed = services().unified.models.update(
        environment(), id, body.fields, body.faults, version=version, seen=if_match()
    )
    return show_model(changed)


@unified_models.serves("DELETE", "/<id>", answer=Deleted)
def delete_model(id: str) -> Answer:
    """Remove a unified model with its mappings."""
    return {"id": services().unified.models.delete(environment(), id, seen=if_match())}


@installed_models.serves("POST", body=schemas.NewInstalledModel, answer=schemas.InstalledModel, status=201)
def install_model(body: Body) -> Answer:
    """Install a unified model into the environment, or change the environment's override of it."""
    return answer_created(_show(services().unified.installed_models.put(environment(), body.fields, body.faults)))


@installed_models.serves("GET", query=schemas.InstalledModelQuery, answer=page_of(schemas.InstalledModel))
def list_installed_models(query: JsonObject) -> Answer:
    """List the environment's unified models, newest first."""
    page = services().unified.installed_models.list(environment(), read_filters(query))
    models = services().unified.models.find_many(environment(), {one.unified_model_id for one in page.result})
    return show_page(page, lambda installed: _show_with(installed, models))


@installed_models.serves("GET", "/<id>", answer=schemas.InstalledModel)
def get_installed_model(id: str) -> Answer:
    """Show what the environment changes about a unified model."""
    return _show(services().unified.installed_models.get(environment(), id))


@installed_models.serves("PATCH", "/<id>", body=schemas.InstalledModelPatch, answer=schemas.InstalledModel)
def update_installed_model(body: Body, id: str) -> Answer:
    """Replace what the environment changes about a unified model."""
    changed = services().unified.installed_models.update(environment(), id, body.fields, body.faults, seen=if_match())
    return _show(changed)


@installed_models.serves("DELETE", "/<id>", answer=Deleted)
def remove_installed_model(id: str) -> Answer:
    """Remove a unified model from the environment, with the environment's mappings of it."""
    return {"id": services().unified.installed_models.delete(environment(), id, seen=if_match())}


def _show(installed: EnvironmentUnifiedModel) -> JsonObject:
    return _show_with(installed, services().unified.models.find_many(environment(), {installed.unified_model_id}))


def _show_with(installed: EnvironmentUnifiedModel, models: Mapping[str, UnifiedModel]) -> JsonObject:
    model = models.get(installed.unified_model_id)
    return show_plain(installed) if model is None else {**show_plain(installed), "unified_model": show_model(model)}
