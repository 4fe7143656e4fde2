"""``/environment-integration``."""

from collections.abc import Sequence

from app.api.documents.operations import document_answers
from app.api.parsing.parsing import Body
from app.api.parsing.preconditions import if_match
from app.api.resources.embedded import read_embeddings, show_installation, show_integration
from app.api.resources.resource import Resource
from app.api.resources.services import environment, services
from app.api.resources.views import Answer, answer_created, read_filters, show_page
from app.api.schemas import integrations as schemas
from app.api.schemas.fields import Deleted, page_of
from app.api.schemas.save_warnings import add_warnings
from app.engine.errors import Failure
from app.engine.integrations.embedding import Embeddings
from app.engine.json_types import JsonObject
from app.engine.objects.environments import Role
from app.engine.objects.integrations import EnvironmentIntegration

environment_integrations = Resource(
    "environment-integration", description="How an environment uses integrations", changes=Role.ADMIN
)


@environment_integrations.serves(
    "POST",
    body=schemas.NewEnvironmentIntegration,
    answer=schemas.EnvironmentIntegration,
    status=201,
    documented=document_answers(like=schemas.EnvironmentIntegration),
)
def install_integration(body: Body) -> Answer:
    """Install an integration; one that is installed already is changed and answered 200."""
    integration_id = body.fields.get("integration_id")
    finish = services().key_changes.watch_integration(environment(), integration_id) if integration_id else list
    faults = _judge(body, integration_id)
    found, is_new = services().installed_integrations.install(environment(), _drop_flag(body.fields), faults)
    shown = add_warnings(_show(found), finish())
    return answer_created(shown) if is_new else (shown, 200, {})


@environment_integrations.serves(
    "GET", query=schemas.EnvironmentIntegrationQuery, answer=page_of(schemas.EnvironmentIntegration)
)
def list_installed_integrations(query: JsonObject) -> Answer:
    """List installed integrations, newest first."""
    page = services().installed_integrations.list(environment(), read_filters(query))
    embedded = read_embeddings(page.result)
    return show_page(page, lambda installed: _show_with(installed, embedded))


@environment_integrations.serves("GET", "/<id>", answer=schemas.EnvironmentIntegration)
def get_installed_integration(id: str) -> Answer:
    """Show an installed integration."""
    return _show(services().installed_integrations.get(environment(), id))


@environment_integrations.serves(
    "PATCH", "/<id>", body=schemas.EnvironmentIntegrationPatch, answer=schemas.EnvironmentIntegration
)
def update_installed_integration(body: Body, id: str) -> Answer:
    """Change an installed integration; its override is replaced whole, and masks that are sent back change nothing."""
    fields = _drop_flag(body.fields)
    installed = services().installed_integrations
    current = installed.get(environment(), id)
    finish = services().key_changes.watch_integration(environment(), current.integration_id)
    faults = _judge(body, current.integration_id)
    return add_warnings(_show(installed.update(environment(), current.id, fields, faults, seen=if_match())), finish())


@environment_integrations.serves("DELETE", "/<id>", answer=Deleted)
def uninstall_integration(id: str) -> Answer:
    """Remove an environment's override; the integration stays, with its own config."""
    return {"id": services().installed_integrations.delete(environment(), id, seen=if_match())}


def _judge(body: Body, integration_id: str | None) -> Sequence[Failure]:
    """Return the faults of a body; what its integration does not know is a warning."""
    if integration_id is None or "override" not in body.fields:
        return body.faults
    override = body.fields["override"]
    return body.judge(services().known_names.judge_override(environment(), integration_id, override, "override"))


def _drop_flag(fields: JsonObject) -> JsonObject:
    return {name: value for name, value in fields.items() if name != "is_enabled"}


def _show(installed: EnvironmentIntegration) -> JsonObject:
    return _show_with(installed, read_embeddings([installed]))


def _show_with(installed: EnvironmentIntegration, embedded: Embeddings) -> JsonObject:
    shown = show_installation(installed)
    held = embedded.get(installed.integration_id)
    return shown if held is None else {**shown, "integration": show_integration(held.integration)}
