"""``ferryman trigger``: cron triggers of sync jobs, over the HTTP API."""

from typing import Final

from app.cli.calling import Answer, JsonArgument, add_named_argument, call_api
from app.cli.next_steps import NextStep
from app.cli.objects.builder import answer_object, build_group
from app.cli.objects.kinds import Field, Kind
from app.cli.options import ERROR_HANDLING
from app.client import ApiClient
from app.engine.json_types import JsonObject


def _next_step(trigger: JsonObject) -> NextStep:
    return ("trigger", "show" if trigger["enabled"] else "schedule", trigger["id"])


TRIGGER: Final = Kind(
    word="trigger",
    group="trigger",
    path="/sync-job-cron-trigger",
    columns=("id", "cron_expression", "timezone", "enabled", "next_run_at", "sync_job_id", "integrated_account_id"),
    facts=(
        *("sync_job_id", "integrated_account_id", "timezone", "args", "webhook_id", "daemon_group_key"),
        *("error_handling", "events_to_send", "next_run_at", "last_run"),
    ),
    title=lambda trigger: (
        f"trigger {trigger['id']}  {trigger['cron_expression']}  {'scheduled' if trigger['enabled'] else 'asleep'}"
    ),
    arguments=("sync_job_id", "integrated_account_id", "cron_expression"),
    fields=(
        Field(name="cron_expression", option="--cron", is_creatable=False, help="When it is due from now on."),
        Field(name="timezone", option="--timezone", help="The IANA zone whose clock is meant.  [default: UTC]"),
        Field(name="args", option="--args", kind=JsonArgument(), help="Arguments of the job: JSON, or @file."),
        Field(
            name="daemon_group_key",
            option="--group",
            help="Daemon group that runs them.  [default: default]",
        ),
        Field(
            name="webhook_id",
            option="--webhook",
            help="Id of a webhook that gets the records, instead of Postgres.",
        ),
        Field(
            name="events_to_send",
            option="--event",
            is_multiple=True,
            help="An event that the webhook gets; again for more.  [default: all]",
        ),
        Field(name="error_handling", option="--error-handling", kind=ERROR_HANDLING, help="What an error does."),
        Field(
            name="enabled",
            option="--schedule",
            is_flag=True,
            is_changeable=False,
            help="Schedule it too; else it sleeps until 'schedule'.",
        ),
    ),
    filters=(
        Field(name="sync_job_id", option="--job", help="Only triggers of this sync job."),
        Field(name="integrated_account_id", option="--account", help="Only triggers for this integrated account."),
    ),
    after_create=_next_step,
)


trigger: Final = build_group(
    TRIGGER,
    "Create, list, schedule and delete what runs sync jobs by the clock.",
    create="Run a sync job for an account whenever CRON_EXPRESSION is due, such as '30 6 * * 1-5'.",
    list="List triggers, the newest first.",
    show="Show a trigger: when it is due, and what became of its last due time.",
    update="Change a trigger.",
    delete="Remove a trigger; its runs stay.",
)


@trigger.command()
@add_named_argument("trigger_id", metavar="ID")
@call_api
def schedule(client: ApiClient, trigger_id: str) -> Answer:
    """Make a trigger create runs from now on."""
    client.post(f"{TRIGGER.path_of(trigger_id)}/schedule", {})
    found = client.get(TRIGGER.path_of(trigger_id))
    return answer_object(TRIGGER, found, _next_step(found))


@trigger.command()
@add_named_argument("trigger_id", metavar="ID")
@call_api
def pause(client: ApiClient, trigger_id: str) -> Answer:
    """Put a trigger to sleep until it is scheduled again."""
    found = client.patch(TRIGGER.path_of(trigger_id), {"enabled": False})
    return answer_object(TRIGGER, found, _next_step(found))
