"""``/bulk-action``: what is done to every run that filters find, once their number is confirmed."""

from app.api.parsing.parsing import Body
from app.api.resources.resource import Resource
from app.api.resources.services import environment, services
from app.api.resources.views import Answer, answer_created, read_filters, show_page, show_plain
from app.api.schemas.fields import page_of
from app.api.schemas.of_runs.bulk_actions import BulkAction, BulkActionQuery, NewBulkAction
from app.engine.errors import Failure, InvalidInputError
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.bulk_actions import BulkKind
from app.engine.objects.environments import Role
from app.services.dashboard import run_filters
from app.services.dashboard.run_filters import RunFilters

bulk_actions = Resource("bulk-action", description="Actions on all runs that match", changes=Role.RUN)


@bulk_actions.serves("POST", body=NewBulkAction, answer=BulkAction, status=201)
def create_bulk_action(body: Body) -> Answer:
    """Count the runs that an action would be for; nothing happens to them before it is confirmed."""
    filters, faults = _read(body.fields.get("filters"))
    fields = body.with_faults(faults).require_valid()
    action = services().dashboard.bulk_actions.count(environment(), BulkKind(fields["kind"]), filters)
    return answer_created(show_plain(action))


@bulk_actions.serves("GET", query=BulkActionQuery, answer=page_of(BulkAction))
def list_bulk_actions(query: JsonObject) -> Answer:
    """List bulk actions, newest first."""
    return show_page(services().dashboard.bulk_actions.list(environment(), read_filters(query)), show_plain)


@bulk_actions.serves("GET", "/<id>", answer=BulkAction)
def get_bulk_action(id: str) -> Answer:
    """Show how far a bulk action is."""
    return show_plain(services().dashboard.bulk_actions.get(environment(), id))


@bulk_actions.serves("POST", "/<id>/confirm", answer=BulkAction)
def confirm_bulk_action(id: str) -> Answer:
    """Let a counted action begin; one that has begun stays as it is."""
    return show_plain(services().dashboard.bulk_actions.confirm(environment(), id))


@bulk_actions.serves("POST", "/<id>/cancel", answer=BulkAction)
def cancel_bulk_action(id: str) -> Answer:
    """End an action; what was done stays, and one that is over stays as it is."""
    return show_plain(services().dashboard.bulk_actions.cancel(environment(), id))


def _read(filters: JSON) -> tuple[RunFilters, list[Failure]]:
    """Read filters; return also what is wrong with them."""
    if not isinstance(filters, dict):
        return RunFilters(), []
    try:
        return run_filters.read_filters(filters), []
    except InvalidInputError as error:
        return RunFilters(), [Failure(f"filters.{each.path}", each.message) for each in error.failures]
