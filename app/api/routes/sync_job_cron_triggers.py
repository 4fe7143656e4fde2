"""``/sync-job-cron-trigger``."""

from app.api.parsing.parsing import Body
from app.api.parsing.preconditions import if_match
from app.api.resources.resource import Resource
from app.api.resources.services import environment, services
from app.api.resources.views import Answer, answer_created, read_filters, show_page, show_plain
from app.api.schemas.fields import Deleted, Success, page_of
from app.api.schemas.triggers import NewTrigger, Trigger, TriggerPatch, TriggerQuery
from app.engine.json_types import JSON, JsonObject
from app.engine.known_keys.judging import KeyFindings
from app.engine.objects.environments import Role

sync_job_cron_triggers = Resource(
    "sync-job-cron-trigger", description="When sync jobs run by themselves", changes=Role.ADMIN
)


@sync_job_cron_triggers.serves("POST", body=NewTrigger, answer=Trigger, status=201)
def create_trigger(body: Body) -> Answer:
    """Create a cron trigger; it creates no run before it is scheduled."""
    faults = body.judge(_judge_names(body.fields, body.fields.get("integrated_account_id")))
    return answer_created(show_plain(services().triggers.create(environment(), _drop_unserved(body.fields), faults)))


@sync_job_cron_triggers.serves("GET", query=TriggerQuery, answer=page_of(Trigger))
def list_triggers(query: JsonObject) -> Answer:
    """List cron triggers, newest first."""
    return show_page(services().triggers.list(environment(), read_filters(query)), show_plain)


@sync_job_cron_triggers.serves("GET", "/<id>", answer=Trigger)
def get_trigger(id: str) -> Answer:
    """Show a cron trigger."""
    return show_plain(services().triggers.get(environment(), id))


@sync_job_cron_triggers.serves("PATCH", "/<id>", body=TriggerPatch, answer=Trigger)
def update_trigger(body: Body, id: str) -> Answer:
    """Change a cron trigger; one whose time changes has to be scheduled again."""
    current = services().triggers.get(environment(), id)
    faults = body.judge(_judge_names(body.fields, current.integrated_account_id, stored=current.resources))
    changed = services().triggers.update(
        environment(), current.id, _drop_unserved(body.fields), faults, seen=if_match()
    )
    return show_plain(changed)


@sync_job_cron_triggers.serves("POST", "/<id>/schedule", answer=Success, role=Role.RUN)
def schedule_sync_job_cron_trigger(id: str) -> Answer:
    """Schedule a cron trigger: it creates runs from now on."""
    services().triggers.schedule(environment(), id)
    return {"success": True}


@sync_job_cron_triggers.serves("DELETE", "/<id>", answer=Deleted)
def delete_trigger(id: str) -> Answer:
    """Remove a cron trigger; its runs stay."""
    return {"id": services().triggers.delete(environment(), id, seen=if_match())}


def _judge_names(fields: JsonObject, account_id: JSON, *, stored: JSON = None) -> KeyFindings:
    return services().known_names.judge_run(environment(), fields, account_id, stored=stored)


def _drop_unserved(fields: JsonObject) -> JsonObject:
    return {name: value for name, value in fields.items() if name != "super_query"}
