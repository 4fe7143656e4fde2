"""A request for a run becomes a draft, or every fault of it is told at once."""

from dataclasses import replace
from typing import Any

import pytest

from app.engine.errors import Failure, InvalidInputError
from app.engine.json_types import JsonObject
from app.services.contexts.account_configs import ShownContexts
from app.services.runs.drafts import RunDrafts
from app.services.runs.requests import IdempotencyKey, RunDraft, RunRequest
from tests.unit.services.service_tables import (
    CONFIG,
    ELSEWHERE,
    ENVIRONMENT,
    FakeReferences,
    FakeTable,
    account,
    integration,
    sync_job,
    unified,
    webhook,
)

DECLARED = {"non_secret": ["context.subdomain"]}
CONTEXT = {"subdomain": "acme", "api_key": "canary"}
REQUEST = RunRequest(sync_job_id="job", integrated_account_id="account")
SCHEMA: JsonObject = {"since": {"type": "string", "required": True}, "limit": {"type": "integer", "default": 10}}


def drafts(**job_fields: Any) -> RunDrafts:
    return RunDrafts(
        read_references=FakeReferences(
            FakeTable(sync_job, sync_job(**job_fields)),
            FakeTable(
                account,
                account(context=CONTEXT),
                account(id="other", integration_name="crm"),
                account(id="at rest", status="inactive"),
            ),
        ).read,
        webhooks=FakeTable(
            webhook,
            webhook(),
            webhook(id="changes", changes_only=True),
            webhook(id="foreign", environment_id=ELSEWHERE),
        ),
        unified=unified(),
        shown_contexts=ShownContexts(FakeTable(integration, integration(config={**CONFIG, **DECLARED}))),
        default_group="blue",
        default_overlap_seconds=120,
    )


def draft(request: RunRequest, **job_fields: Any) -> RunDraft:
    return drafts(**job_fields).draft(ENVIRONMENT, request, idempotency=None, faults=[])


def failures(request: RunRequest, *faults: Failure, **job_fields: Any) -> list[Failure]:
    with pytest.raises(InvalidInputError) as raised:
        drafts(**job_fields).draft(ENVIRONMENT, request, idempotency=None, faults=faults)
    return list(raised.value.failures)


def test_draft_goes_to_the_default_group() -> None:
    made = draft(REQUEST)

    assert (made.group_key, made.queue, made.version) == ("blue", "daemon-group.blue", 3)
    assert [item.name for item in made.items] == ["tickets"]
    assert made.sync_job["id"] == "job"
    assert made.sync_job["created_at"] == "2026-03-01T12:00:00.000Z"
    assert made.environment_id == ENVIRONMENT


def test_draft_goes_to_the_group_that_is_asked_for() -> None:
    assert draft(replace(REQUEST, daemon_group_key="red")).queue == "daemon-group.red"


def test_draft_of_a_webhook_run_has_no_group() -> None:
    made = draft(replace(REQUEST, webhook_id="webhook"))

    assert (made.group_key, made.queue) == (None, "rapid-bridge")


def test_defaults_are_filled_into_the_args_and_hashed_with_them() -> None:
    sent = draft(replace(REQUEST, args={"limit": 10, "since": "now"}), args_schema=SCHEMA)
    filled = draft(replace(REQUEST, args={"since": "now"}), args_schema=SCHEMA)
    other = draft(replace(REQUEST, args={"since": "then"}), args_schema=SCHEMA)

    assert filled.args == {"since": "now", "limit": 10}
    assert filled.args_hash == sent.args_hash
    assert filled.args_hash != other.args_hash


def test_the_jobs_own_rule_sees_args_that_its_schema_takes() -> None:
    rule = 'args.limit > 5 ? {"message": "at most 5"}'

    draft(replace(REQUEST, args={"limit": 5, "since": "now"}), args_schema=SCHEMA, args_validation=rule)
    (own,) = failures(replace(REQUEST, args={"limit": 6, "since": "now"}), args_schema=SCHEMA, args_validation=rule)
    of_schema = failures(replace(REQUEST, args={"limit": 6, "since": 5}), args_schema=SCHEMA, args_validation=rule)

    assert (own.path, own.message) == ("args", "at most 5")
    assert [failure.path for failure in of_schema] == ["args.since"]


def test_own_resources_of_a_run_replace_the_jobs() -> None:
    users = {"resource": "users", "method": "list"}

    made = draft(replace(REQUEST, resources=[users]))

    assert made.resources == [users]
    assert [item.name for item in made.items] == ["users"]
    assert made.sync_job["resources"][0]["resource"] == "tickets"


def test_children_are_drafted_after_their_parents() -> None:
    resources = [
        {"resource": "comments", "method": "list", "depends_on": "tickets"},
        {"resource": "tickets", "method": "list"},
    ]

    made = draft(REQUEST, resources=resources)

    assert [item.name for item in made.items] == ["tickets", "comments"]


def test_idempotency_key_travels_with_the_draft() -> None:
    key = IdempotencyKey(key="k", body_hash=b"h")

    made = drafts().draft(ENVIRONMENT, REQUEST, idempotency=key, faults=[])

    assert made.idempotency == key


def test_all_faults_are_told_at_once() -> None:
    request = replace(
        REQUEST,
        integrated_account_id="nobody",
        webhook_id="foreign",
        daemon_group_key="no group",
        args={"limit": "many"},
        resources=[{"resource": "", "method": "list"}],
    )

    found = failures(request, Failure("error_handling", "expected another"), args_schema=SCHEMA)

    assert [failure.path for failure in found] == [
        "error_handling",
        "integrated_account_id",
        "webhook_id",
        "daemon_group_key",
        "daemon_group_key",
        "args.limit",
        "args.since",
        "resources.0.resource",
    ]
    assert [failure.path for failure in found if failure.missing_reference] == ["integrated_account_id", "webhook_id"]


def test_missing_job_is_told_beside_the_other_references() -> None:
    found = failures(RunRequest(sync_job_id="none", integrated_account_id="none", webhook_id="none"))

    assert {failure.path for failure in found} == {"sync_job_id", "integrated_account_id", "webhook_id"}
    assert all(failure.missing_reference for failure in found)


def test_account_is_not_blamed_for_a_job_that_is_missing() -> None:
    found = failures(replace(REQUEST, sync_job_id="none"))

    assert found == [Failure("sync_job_id", "sync job 'none' does not exist", missing_reference=True)]


def test_absent_ids_are_the_callers_fault_to_tell() -> None:
    fault = Failure("sync_job_id", "expected an id")

    assert failures(RunRequest(), fault) == [fault]


def test_account_at_rest_is_refused() -> None:
    (fault,) = failures(replace(REQUEST, integrated_account_id="at rest"))

    assert (fault.path, fault.message[:11]) == ("integrated_account_id", "is inactive")


def test_account_of_another_integration_is_refused() -> None:
    found = failures(replace(REQUEST, integrated_account_id="other"))

    message = "is an account of 'crm'; the sync job is for 'helpdesk'"
    assert found == [Failure("integrated_account_id", message)]


@pytest.mark.parametrize(
    ("job_key", "request_key", "resolved"),
    [
        (None, None, None),
        ("{{tenant_id}}:{{args.shard}}", None, "tenant:a"),
        ("{{tenant_id}}", "mine-{{subdomain}}", "mine-acme"),
        ("{{args.none:undefined}}", None, None),
        ("{{args.list:json}}", None, "[1,2]"),
        ("{{integrated_account_id?:x}}-{{sync_job_run.sync_job_id}}", None, "x-job"),
    ],
)
def test_mutex_key_is_resolved_for_the_run(job_key: str | None, request_key: str | None, resolved: str | None) -> None:
    request = replace(REQUEST, mutex_key=request_key, args={"shard": "a", "list": [1, 2]})

    assert draft(request, mutex_key=job_key).mutex_key == resolved


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("{{args.shard}}", "args.shard"),
        ("{{args.shard:nonsense}}", "nonsense"),
        ("k" * 501, "at most 500 characters"),
        ("{{args.long}}", "at most 500 characters"),
    ],
)
def test_mutex_key_that_is_no_key_is_refused(key: str, message: str) -> None:
    (failure,) = failures(replace(REQUEST, args={"long": "x" * 501}), mutex_key=key)

    assert failure.path == "mutex_key"
    assert message in failure.message


def test_wrong_mutex_key_is_told_beside_the_other_faults() -> None:
    request = RunRequest(integrated_account_id="nobody", mutex_key="{{a:nonsense}}")

    assert {failure.path for failure in failures(request)} >= {"integrated_account_id", "mutex_key"}


def test_state_key_is_resolved_beside_the_mutex_key() -> None:
    made = draft(replace(REQUEST, mutex_key="m"), state_key="{{sync_job_run.sync_job_id}}-people")
    replaced = draft(replace(REQUEST, state_key="mine"), state_key="theirs")

    assert (made.mutex_key, made.state_key) == ("m", "job-people")
    assert (replaced.mutex_key, replaced.state_key) == (None, "mine")


@pytest.mark.parametrize("key", ["{{context.api_key}}", "of-{{api_key}}", "{{context:json}}"])
@pytest.mark.parametrize("field", ["state_key", "mutex_key"])
def test_key_that_would_show_a_secret_is_refused(field: str, key: str) -> None:
    (failure,) = failures(REQUEST, **{field: key})

    assert failure.path == field
    assert "holds a secret" in failure.message or "no non_secret of its integration" in failure.message
    assert "canary" not in failure.message


def test_state_key_that_is_no_key_is_refused() -> None:
    (failure,) = failures(REQUEST, state_key="{{args.nothing}}")

    assert (failure.path, "args.nothing" in failure.message) == ("state_key", True)


def test_events_that_no_run_has_are_refused_by_their_place() -> None:
    (failure,) = failures(replace(REQUEST, events_to_send=["sync_job_run:record", "record"]))

    assert failure.path == "events_to_send[1]"
    assert "expected one of sync_job_run:created" in failure.message


@pytest.mark.parametrize("changes_only", [True, False])
def test_run_takes_the_wish_of_its_webhook_over(changes_only: bool) -> None:
    made = draft(replace(REQUEST, webhook_id="changes" if changes_only else "webhook"))

    assert made.changes_only is changes_only


def test_the_draft_of_a_known_job_is_that_of_one_that_is_read() -> None:
    maker = drafts(args_schema=SCHEMA)
    request = replace(REQUEST, args={"since": "2026"}, daemon_group_key="red")
    read = maker.draft(ENVIRONMENT, request, idempotency=None, faults=[])

    unread = maker.draft_unread(ENVIRONMENT, request)

    assert unread is not None
    assert unread.supposes is not None
    assert (unread.supposes.version, unread.supposes.job.id) == ("1", "job")
    assert replace(unread, id=read.id, supposes=None) == read


@pytest.mark.parametrize(
    "change",
    [
        {"sync_job_id": "other"},
        {"resources": [{"resource": "users", "method": "list"}]},
        {"mutex_key": "{{args.since}}"},
        {"state_key": "state"},
        {"args": {"since": 7}},
        {"webhook_id": "foreign"},
        {"daemon_group_key": "a b"},
        {"events_to_send": ["what"]},
    ],
)
def test_what_is_to_be_read_or_refused_is_not_drafted_unread(change: JsonObject) -> None:
    maker = drafts(args_schema=SCHEMA)
    request = replace(REQUEST, args={"since": "2026"})
    maker.draft(ENVIRONMENT, request, idempotency=None, faults=[])

    assert maker.draft_unread(ENVIRONMENT, request) is not None
    assert maker.draft_unread(ENVIRONMENT, replace(request, **change)) is None
    assert maker.draft_unread(ELSEWHERE, request) is None


@pytest.mark.parametrize("fields", [{"mutex_key": "{{context.subdomain}}"}, {"state_key": "{{tenant_id}}"}])
def test_a_job_whose_keys_need_the_account_is_read_each_time(fields: JsonObject) -> None:
    maker = drafts(**fields)
    maker.draft(ENVIRONMENT, REQUEST, idempotency=None, faults=[])

    assert maker.draft_unread(ENVIRONMENT, REQUEST) is None


def test_a_run_with_resources_of_its_own_does_not_change_what_is_known_of_its_job() -> None:
    maker = drafts()
    users = [{"resource": "users", "method": "list"}]
    maker.draft(ENVIRONMENT, replace(REQUEST, resources=users), idempotency=None, faults=[])

    assert maker.draft_unread(ENVIRONMENT, REQUEST) is None
