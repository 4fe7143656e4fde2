"""Sync jobs: checked whole before they are kept."""

import pytest

from app.engine.errors import Failure, InvalidInputError, NotFoundError
from app.engine.json_types import JsonObject
from app.engine.objects.jobs import SyncJob
from app.engine.objects.lists import ListFilters
from app.services.catalog.jobs import JobService
from tests.unit.services.service_tables import ELSEWHERE, ENVIRONMENT, FakeTable, integration, sync_job, unified

RESOURCES = [{"resource": "tickets", "method": "list"}]
FAULT = Failure("label", "expected text")
WRONG: JsonObject = {"integration_name": "crm", "args_schema": [], "resources": []}


@pytest.fixture
def jobs() -> FakeTable[SyncJob]:
    return FakeTable(sync_job, sync_job())


@pytest.fixture
def service(jobs: FakeTable[SyncJob]) -> JobService:
    return JobService(jobs, FakeTable(integration, integration()).by_name, unified())


def test_job_is_made_with_defaults(jobs: FakeTable[SyncJob], service: JobService) -> None:
    made = service.create(ENVIRONMENT, {"integration_name": "helpdesk", "resources": RESOURCES})

    assert jobs.rows[made.id] == made
    assert (made.label, made.args_schema, made.default_runtime_version) == ("Untitled", {}, 3)


def test_every_fault_of_a_new_job_is_told(service: JobService) -> None:
    with pytest.raises(InvalidInputError) as raised:
        service.create(ENVIRONMENT, WRONG, [FAULT])

    found = raised.value.failures
    assert [failure.path for failure in found] == ["label", "integration_name", "args_schema", "resources"]
    assert [failure.missing_reference for failure in found] == [False, True, False, False]


def test_job_changes_only_where_it_is_sent_something(service: JobService) -> None:
    updated = service.update(ENVIRONMENT, "job", {"label": "Nightly"})

    assert (updated.label, updated.resources) == ("Nightly", sync_job().resources)


def test_faulty_change_changes_nothing(jobs: FakeTable[SyncJob], service: JobService) -> None:
    with pytest.raises(InvalidInputError):
        service.update(ENVIRONMENT, "job", WRONG)

    assert jobs.rows["job"] == sync_job()


def test_job_that_is_removed_during_a_change_is_not_there(jobs: FakeTable[SyncJob], service: JobService) -> None:
    jobs.before_update = jobs.rows.clear

    with pytest.raises(NotFoundError):
        service.update(ENVIRONMENT, "job", {"label": "Nightly"})


def test_job_is_removed_once(service: JobService) -> None:
    assert service.delete(ENVIRONMENT, "job") == "job"
    with pytest.raises(NotFoundError):
        service.delete(ENVIRONMENT, "job")


def test_each_environment_sees_its_own_jobs(service: JobService) -> None:
    listed = service.list(ENVIRONMENT, ListFilters())

    assert [row.id for row in listed.result] == ["job"]
    with pytest.raises(NotFoundError):
        service.get(ELSEWHERE, "job")


def test_mutex_key_with_a_wrong_placeholder_is_refused(service: JobService) -> None:
    with pytest.raises(InvalidInputError) as raised:
        service.create(ENVIRONMENT, {"integration_name": "helpdesk", "mutex_key": "{{args.shard:nonsense}}"})

    assert [failure.path for failure in raised.value.failures] == ["mutex_key"]


def test_a_rule_for_args_that_is_no_jsonata_is_refused(service: JobService) -> None:
    with pytest.raises(InvalidInputError) as refused:
        service.create(ENVIRONMENT, {"integration_name": "acme", "args_validation": "args.("})

    assert "args_validation" in [failure.path for failure in refused.value.failures]
