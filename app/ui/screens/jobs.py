"""Jobs: what is pulled, whether it is still right, and a form that tries or starts a run."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

import flask

from app.api.parsing.parsing import Body, load_body
from app.api.resources.services import environment, services
from app.api.resources.views import path_id
from app.api.schemas.runs import NewRun
from app.engine.errors import Failure, InvalidInputError
from app.engine.ids import new_id, parse_id
from app.engine.json_types import JsonObject
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.environments import Role
from app.engine.objects.jobs import SyncJob
from app.engine.objects.lists import ListFilters, Page
from app.engine.objects.runs import SyncJobRun
from app.engine.objects.webhooks import Webhook
from app.services.runs.requests import IdempotencyKey, RunRequest
from app.ui import args_form, rendering
from app.ui.args_form import ArgField
from app.ui.filters import read_filters
from app.ui.rendering import at
from app.ui.screen import Done, Screens

jobs = Screens("jobs", title="Jobs", key="j", home="list_jobs")

_CHECKED: Final = ("integration_name", "args_schema", "args_validation", "resources", "mutex_key", "state_key")
_MOST_CHOICES: Final = 200
_NEWEST_RUNS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class JobList:
    """A page of jobs."""

    jobs: Page[SyncJob]
    filters: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """One job, and the form that starts a run of it."""

    job: SyncJob
    runs: Sequence[SyncJobRun]
    fields: Sequence[ArgField]
    accounts: Sequence[IntegratedAccount]
    webhooks: Sequence[Webhook]
    once: str
    """A form that is sent twice starts one run."""
    form: Mapping[str, str] = field(default_factory=dict)
    """What was entered."""
    failures: Sequence[Failure] = ()
    dry_run: JsonObject | None = None

    def fault_of(self, path: str) -> str:
        """Return what is wrong with a field; empty when nothing is."""
        return "; ".join(one.message for one in self.failures if one.path == path)


@jobs.page("/jobs", "jobs/list.html")
def list_jobs() -> JobList:
    """List jobs, newest first."""
    given = read_filters("integration_name", "label", "cursor")
    filters = {name: value for name, value in given.items() if name != "cursor"}
    page = services().jobs.list(environment(), ListFilters(equal=filters, limit=50, cursor=given.get("cursor")))
    return JobList(jobs=page, filters=given)


@jobs.page("/jobs/<id>", "jobs/page.html")
def show(id: str) -> JobPage:
    """Show a job."""
    return _gather(services().jobs.get(environment(), path_id("sync job", id)), form=flask.request.args.to_dict())


@jobs.action("/jobs/<id>/validate")
def validate(id: str) -> Done:
    """Check a job again: what it names may have changed since it was saved."""
    job = services().jobs.get(environment(), path_id("sync job", id))
    fields = {name: getattr(job, name) for name in _CHECKED}
    found = services().known_names.judge_job(environment(), fields, job.integration_name, stored=job.resources)
    services().jobs.check(environment(), fields, found.failures)
    return Done(address=at(f"/jobs/{job.id}"), notice="The job is valid.")


@jobs.action("/jobs/<id>/start", needs=Role.RUN)
def start(id: str) -> Done | flask.Response:
    """Start a run, or try what it would begin with."""
    job = services().jobs.get(environment(), path_id("sync job", id))
    form = flask.request.form.to_dict()
    body, content = _read_run(job, form)
    try:
        if "dry" in form:
            found = services().runs.try_out(environment(), RunRequest(**body.fields), faults=body.faults)
            return _show_again(_gather(job, form=form, dry_run=found), HTTPStatus.OK)
        run, _ = services().runs.create(
            environment(), RunRequest(**body.fields), idempotency=_name_once(form, content), faults=body.faults
        )
    except InvalidInputError as error:
        return _show_again(_gather(job, form=form, failures=error.failures), HTTPStatus.BAD_REQUEST)
    return Done(address=at(f"/runs/{run.id}"), notice="The run was started.")


def _gather(
    job: SyncJob,
    *,
    form: Mapping[str, str],
    failures: Sequence[Failure] = (),
    dry_run: JsonObject | None = None,
) -> JobPage:
    of_job, of_integration = {"sync_job_id": job.id}, {"integration_name": job.integration_name}
    accounts = ListFilters(equal=of_integration, limit=_MOST_CHOICES)
    return JobPage(
        job=job,
        runs=services().runs.list(environment(), ListFilters(equal=of_job, limit=_NEWEST_RUNS)).result,
        fields=args_form.list_fields(job.args_schema),
        accounts=services().accounts.list(environment(), accounts).result,
        webhooks=services().webhooks.list(environment(), ListFilters(limit=_MOST_CHOICES)).result,
        once=new_id(),
        form=form,
        failures=failures,
        dry_run=dry_run,
    )


def _read_run(job: SyncJob, form: Mapping[str, str]) -> tuple[Body, JsonObject]:
    """Read the form as the body of ``POST /sync-job-run``; return also that body."""
    args, failures = args_form.read_args(args_form.list_fields(job.args_schema), form)
    named = ("integrated_account_id", "webhook_id", "daemon_group_key")
    content: JsonObject = {"sync_job_id": job.id, "args": args}
    content |= {name: form[name].strip() for name in named if form.get(name, "").strip()}
    if "ignore_previous_run" in form:
        content["ignore_previous_run"] = True
    body = load_body(NewRun(), content, is_strict=True)
    return body.with_faults(failures), content


def _name_once(form: Mapping[str, str], content: JsonObject) -> IdempotencyKey | None:
    if not (once := form.get("once")):
        return None
    if parse_id(once) is None:
        raise InvalidInputError([Failure("once", "expected the UUID that the page was sent with: load it again")])
    canonical = json.dumps(content, sort_keys=True).encode()
    return IdempotencyKey(key=f"dashboard:{once}", body_hash=hashlib.sha256(canonical).digest())


def _show_again(page: JobPage, status: HTTPStatus) -> flask.Response:
    return rendering.show("jobs/page.html", status, page=page)
