"""``/integration``."""

from dataclasses import asdict

from app.api.parsing.parsing import Body
from app.api.parsing.preconditions import if_match
from app.api.resources import offered
from app.api.resources.resource import Resource
from app.api.resources.services import environment, services
from app.api.resources.views import Answer, answer_created, read_filters, show_page
from app.api.schemas import integrations as schemas
from app.api.schemas import offers
from app.api.schemas.fields import Deleted, page_of
from app.api.schemas.save_warnings import add_warnings
from app.engine.config.secrets import redact_config
from app.engine.integrations.offers import Offering
from app.engine.json_types import JsonObject
from app.engine.objects.environments import Role
from app.engine.objects.integrations import Integration
from app.services.catalog import known_names

integrations = Resource("integration", description="How third-party APIs are spoken to", changes=Role.ADMIN)


@integrations.serves("POST", body=schemas.NewIntegration, answer=schemas.Integration, status=201)
def create_integration(body: Body) -> Answer:
    """Create an integration."""
    faults = body.judge(known_names.judge_config(body.fields.get("config")))
    return answer_created(_show(services().integrations.create(environment(), body.fields, faults)))


@integrations.serves("GET", query=schemas.IntegrationQuery, answer=page_of(schemas.Integration))
def list_integrations(query: JsonObject) -> Answer:
    """List integrations, newest first."""
    return show_page(services().integrations.list(environment(), read_filters(query)), _show)


@integrations.serves("GET", "/<id>", answer=schemas.Integration)
def get_integration(id: str) -> Answer:
    """Show an integration."""
    return _show(services().integrations.get(environment(), id))


@integrations.serves("PATCH", "/<id>", body=schemas.IntegrationPatch, answer=schemas.Integration)
def update_integration(body: Body, id: str) -> Answer:
    """Change an integration: its config is merged deeply, and null takes a key away."""
    version = body.fields.pop("version", None)
    finish = services().key_changes.watch_integration(environment(), id)
    changed = services().integrations.update(
        environment(), id, body.fields, body.faults, version=version, seen=if_match()
    )
    if "config" in body.fields:
        body.judge(known_names.judge_config(changed.config))
    return add_warnings(_show(changed), finish())


@integrations.serves("GET", "/<string:id>/tools", query=offers.ToolQuery, answer=offers.ToolPage)
def list_integration_tools(query: JsonObject, id: str) -> Answer:
    """Describe the methods of an integration's config, found by its id or name, as tools for an AI agent."""
    return offered.tools(_offering(id), query)


@integrations.serves("GET", "/<string:id>/capabilities", query=offers.CapabilityQuery, answer=offers.Capabilities)
def get_integration_capabilities(query: JsonObject, id: str) -> Answer:
    """Show the callable methods of an integration, found by its id or name: its own, and mapped ones."""
    return offered.capabilities(_offering(id), query)


@integrations.serves("GET", "/<string:id>/unified-apis", answer=offers.UnifiedApiPage)
def list_integration_unified_apis(id: str) -> Answer:
    """List the unified models that are mapped to an integration, found by its id or name, with their methods."""
    return offered.list_unified_apis(_offering(id))


@integrations.serves("DELETE", "/<id>", answer=Deleted)
def delete_integration(id: str) -> Answer:
    """Remove an integration that has no accounts."""
    return {"id": services().integrations.delete(environment(), id, seen=if_match())}


def _offering(id: str) -> Offering:
    return services().calls.offers.describe_integration(environment(), id)


def _show(integration: Integration) -> JsonObject:
    shown = {"config": redact_config(integration.config), "installed_environment": [integration.environment_id]}
    return {**asdict(integration), **shown}
