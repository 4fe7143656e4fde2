"""Sync jobs over a unified API: requests mapped before, records after, and the books balance whatever fails."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.bootstrap.api import build_api_services
from app.engine.errors import InvalidInputError
from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.status import RunStatus
from app.services.ports import FetchedPage, PageCall
from tests.support.pump import Pump, World
from tests.support.pump_database import Outcome, PumpDatabase
from tests.support.pump_jobs import Job
from tests.support.unified import MAPPINGS, MODEL

PEOPLE = [
    {"id": 1, "name": "Ada", "email": "ADA@x.io", "created": "2024-01-01"},
    {"id": 2, "name": "", "email": "bob@x.io"},
    {"id": 3, "name": "Cleo", "email": {"no": "text"}},
]
NOTES = {"1": [{"key": "n1", "body": "hello"}, {"key": "n2", "body": "again"}], "2": [], "3": []}
RESOURCES: Sequence[JsonObject] = [
    {"resource": "crm/contacts", "method": "list", "query": {"updated_at": {"gt": "2023"}}},
    {
        "resource": "crm/notes",
        "method": "list",
        "depends_on": "crm/contacts",
        "query": {"contact": {"id": "{{resources.crm.contacts.id}}"}},
    },
]


@dataclass
class UnifiedWorld(World):
    """A world whose environment has a unified model."""

    overrides: Mapping[tuple[str, str], JsonObject] = field(default_factory=dict)
    calls: list[PageCall] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        answer = self.api._answer

        def keep(call: PageCall) -> FetchedPage:
            self.calls.append(call)
            return answer(call)

        self.api._answer = keep  # type: ignore[method-assign]

    def prepare(self, environment: EnvironmentId) -> None:
        services = build_api_services(self.settings, self.outside(self.database.engine))
        model = services.unified.models.create(environment, MODEL)
        for (resource, method), config in {**MAPPINGS, **self.overrides}.items():
            place = {"resource_name": resource, "method_name": method, "integration_name": "acme"}
            services.unified.base_mappings.create(
                environment, {**place, "unified_model_id": model.id, "config": config}
            )


def run(
    database: PumpDatabase, *, overrides: Any = None, resources: Any = RESOURCES, kill_before: int = 0, **fields: Any
) -> tuple[UnifiedWorld, Outcome]:
    world, outcome, _ = counted_run(database, overrides, resources, kill_before, **fields)
    return world, outcome


def counted_run(
    database: PumpDatabase, overrides: Any, resources: Any, kill_before: int, **fields: Any
) -> tuple[UnifiedWorld, Outcome, int]:
    people: Any = {"people": {None: PEOPLE}, "annotations": {}}
    job = Job(name="unified", resources=resources, api=people, **fields)
    world = UnifiedWorld(database, job, overrides=overrides or {})
    world.api._job = _Answering(job)  # type: ignore[assignment]
    with Pump(world, kill_before=kill_before) as pump:
        outcome = pump.run(world.post())
        return world, outcome, pump.commits.count


class _Answering:
    """The memory API's job, whose notes are found by person."""

    def __init__(self, job: Job) -> None:
        self.api = {**job.api, "annotations": {None: NOTES["1"]}}


def books(outcome: Outcome, resource: str) -> JsonObject:
    return next(one for one in outcome.resources if one["name"] == resource)


def test_records_are_mapped_and_a_record_that_can_not_be_is_quarantined(pump_database: PumpDatabase) -> None:
    world, outcome = run(pump_database, resources=RESOURCES[:1])

    assert outcome.run["status"] == RunStatus.COMPLETED
    assert outcome.records == {
        ("crm/contacts", "1"): {
            **{"id": "1", "name": "Ada", "emails": [{"email": "ada@x.io"}]},
            "created_at": "2024-01-01",
        },
        ("crm/contacts", "2"): {"id": "2", "name": "bob@x.io", "emails": [{"email": "bob@x.io"}]},
    }
    shown = books(outcome, "crm/contacts")
    assert (shown["fetched"], shown["created"], shown["quarantined"], shown["errors"]) == (3, 2, 1, 1)
    assert [(error["code"], error["details"]["record_id"]) for error in outcome.errors] == [("mapping", "3")]
    assert (world.calls[0].resource, world.calls[0].query) == ("people", {"since": "2023", "type": "person"})


def test_children_see_mapped_parents(pump_database: PumpDatabase) -> None:
    world, outcome = run(pump_database)

    asked = [call.query for call in world.calls if call.resource == "annotations"]
    assert sorted(query["person"] for query in asked) == ["1", "2"]
    assert outcome.records["crm/notes", "n1"] == {"id": "n1", "text": "hello"}


def test_records_reach_a_webhook_mapped_with_remote_data_on_request(pump_database: PumpDatabase) -> None:
    resources = [{"resource": "crm/contacts", "method": "list", "query": {"truto_ignore_remote_data": False}}]

    world, outcome = run(pump_database, resources=resources, to_webhook=True)

    events = [body for _, body in world.receiver.taken if body["event"] == "sync_job_run:record"]
    sent = [record for event in events for record in event["payload"]["records"]]
    assert [(record["id"], record["remote_data"]) for record in sent] == [("1", PEOPLE[0]), ("2", PEOPLE[1])]
    assert [body["event"] for _, body in world.receiver.taken].count("sync_job_run:record_error") == 1
    assert outcome.run["status"] == RunStatus.COMPLETED


def test_a_request_that_can_not_be_mapped_is_an_error_of_its_element(pump_database: PumpDatabase) -> None:
    broken = {("contacts", "list"): {"resource": "people", "query_mapping": "$uppercase(1)"}}

    world, outcome = run(pump_database, overrides=broken, resources=RESOURCES[:1])

    assert world.calls == []
    assert [(error["code"], error["details"]["path"]) for error in outcome.errors] == [("mapping", "query_mapping")]


def test_a_page_mapping_that_fails_quarantines_its_page(pump_database: PumpDatabase) -> None:
    whole = {
        ("contacts", "list"): {
            "resource": "people",
            "response_mapping": 'response.{"id": $string(id), "email": $lowercase(email)}',
            "response_mapping_method": "array",
        }
    }

    _, outcome = run(pump_database, overrides=whole, resources=RESOURCES[:1])

    shown = books(outcome, "crm/contacts")
    assert (shown["fetched"], shown["created"], shown["quarantined"], shown["errors"]) == (3, 2, 1, 1)
    assert outcome.run["status"] == RunStatus.COMPLETED


@pytest.mark.parametrize(("resource", "words"), [("hr/people", "Unified Model not found"), ("crm/deals", "not found")])
def test_a_job_over_an_unknown_model_or_resource_is_refused(
    pump_database: PumpDatabase, resource: str, words: str
) -> None:
    with pytest.raises(InvalidInputError, match=words):
        run(pump_database, resources=[{"resource": resource, "method": "list"}])


def test_a_daemon_that_dies_at_any_commit_changes_nothing_of_the_outcome(pump_database: PumpDatabase) -> None:
    _, expected, commits = counted_run(pump_database, None, RESOURCES, 0)

    outcomes = [run(pump_database, kill_before=at)[1] for at in range(2, commits + 1, 3)]

    assert books(expected, "crm/contacts")["quarantined"] == 1
    assert outcomes == [expected] * len(outcomes)
