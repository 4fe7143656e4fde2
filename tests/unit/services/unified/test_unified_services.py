"""Unified models and mappings are checked whole before they are kept, and found in layers."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from app.engine.errors import Failure, InvalidInputError, NotFoundError
from app.engine.jobs import definition
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters
from app.engine.objects.unified import EnvironmentUnifiedModel, UnifiedModel, UnifiedModelMethod
from app.engine.templating.placeholders import Template
from app.engine.unified.model import UnifiedName
from app.services.unified.mappings import MappingLayers
from app.services.unified.methods import MappingService
from app.services.unified.models import InstalledModelService, UnifiedModelService
from tests.unit.services.service_tables import (
    ELSEWHERE,
    ENVIRONMENT,
    FakeTable,
    account,
    installed_model,
    integration,
    model_method,
    unified,
    unified_model,
)

FAULT = Failure("description", "expected text")
PLACE = {"integration_name": "helpdesk", "resource_name": "contacts", "method_name": "get"}


class Installed(FakeTable[EnvironmentUnifiedModel]):
    """What environments change about models, one row per model."""

    def put(
        self, environment_id: EnvironmentId, id: str, unified_model_id: str, override: Mapping[str, JSON] | None
    ) -> EnvironmentUnifiedModel:
        row = installed_model(id=id, unified_model_id=unified_model_id, override=dict(override or {}))
        self.rows[id] = row
        return row


@pytest.fixture
def models() -> FakeTable[UnifiedModel]:
    return FakeTable(unified_model, unified_model(), unified_model(id="foreign", environment_id=ELSEWHERE))


@pytest.fixture
def methods() -> FakeTable[UnifiedModelMethod]:
    return FakeTable(model_method, model_method())


@pytest.fixture
def installed() -> Installed:
    return Installed(installed_model, installed_model())


@pytest.fixture
def model_service(models: FakeTable[UnifiedModel]) -> UnifiedModelService:
    return UnifiedModelService(models)


@pytest.fixture
def service(
    methods: FakeTable[UnifiedModelMethod], models: FakeTable[UnifiedModel], installed: Installed
) -> MappingService:
    return MappingService(methods, models, FakeTable(integration, integration()).find_by_name, installed)


def paths(raised: pytest.ExceptionInfo[InvalidInputError]) -> list[str]:
    return [failure.path for failure in raised.value.failures]


def test_model_is_made_and_every_fault_of_one_is_told(model_service: UnifiedModelService) -> None:
    made = model_service.create(ENVIRONMENT, {"name": "hr"})

    with pytest.raises(InvalidInputError) as raised:
        model_service.create(
            ENVIRONMENT, {"name": "x", "resources": {"a b": {"schema": 5, "methods": "list"}}}, [FAULT]
        )

    assert model_service.get(ENVIRONMENT, made.id).resources == {}
    assert paths(raised) == ["description", "resources.a b", "resources.a b.schema", "resources.a b.methods"]


def test_model_that_changed_meanwhile_is_not_changed(
    model_service: UnifiedModelService, models: FakeTable[UnifiedModel]
) -> None:
    def change() -> None:
        models.rows["model"] = replace(models.rows["model"], version=9)

    models.before_update = change

    with pytest.raises(InvalidInputError) as raised:
        model_service.update(ENVIRONMENT, "model", {"description": "x"})

    assert paths(raised) == ["version"]


def test_model_keeps_its_name(model_service: UnifiedModelService) -> None:
    with pytest.raises(InvalidInputError) as raised:
        model_service.update(ENVIRONMENT, "model", {"name": "hr"}, [FAULT], version=7)

    assert paths(raised) == ["description", "version", "name"]


def test_what_belongs_to_another_environment_is_not_there(
    model_service: UnifiedModelService, service: MappingService, installed: Installed, models: FakeTable[UnifiedModel]
) -> None:
    installed_service = InstalledModelService(installed, models, installed.put)
    calls: list[Any] = [
        lambda: model_service.get(ENVIRONMENT, "foreign"),
        lambda: model_service.delete(ENVIRONMENT, "foreign"),
        lambda: service.get(ELSEWHERE, "method"),
        lambda: service.delete(ELSEWHERE, "method"),
        lambda: installed_service.get(ELSEWHERE, "installed"),
        lambda: installed_service.delete(ELSEWHERE, "installed"),
    ]

    for call in calls:
        with pytest.raises(NotFoundError):
            call()


def test_models_are_found_by_their_ids(model_service: UnifiedModelService) -> None:
    assert model_service.find_many(ENVIRONMENT, {"model"}) == {"model": unified_model()}


def test_models_are_listed_and_removed(model_service: UnifiedModelService) -> None:
    filters = ListFilters(limit=10)

    assert [model.id for model in model_service.list(ENVIRONMENT, filters).result] == ["model"]
    assert model_service.delete(ENVIRONMENT, "model") == "model"
    assert model_service.list(ENVIRONMENT, filters).result == []


def test_model_is_installed_changed_and_taken_out(installed: Installed, models: FakeTable[UnifiedModel]) -> None:
    service = InstalledModelService(installed, models, installed.put)

    made = service.put(ENVIRONMENT, {"unified_model_id": "model", "override": {"a": 1}})
    changed = service.update(ENVIRONMENT, made.id, {"override": {"b": 2}})

    assert (service.get(ENVIRONMENT, made.id), changed.override) == (changed, {"b": 2})
    assert len(service.list(ENVIRONMENT, ListFilters(limit=10)).result) == 2
    assert service.delete(ENVIRONMENT, made.id) == made.id
    with pytest.raises(InvalidInputError) as raised:
        service.put(ENVIRONMENT, {"unified_model_id": "foreign"}, [FAULT])
    assert paths(raised) == ["description", "unified_model_id"]


def test_mapping_of_an_environment_is_made_by_way_of_its_installed_model(service: MappingService) -> None:
    made = service.create(ENVIRONMENT, {**PLACE, "environment_unified_model_id": "installed"})

    assert (made.unified_model_id, made.config) == ("model", {})
    assert len(service.list(ENVIRONMENT, ListFilters(limit=10)).result) == 2
    assert service.delete(ENVIRONMENT, made.id) == made.id


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({**PLACE, "environment_unified_model_id": "nothing"}, ["environment_unified_model_id"]),
        ({**PLACE, "unified_model_id": "foreign"}, ["unified_model_id"]),
        ({**PLACE, "unified_model_id": "model", "resource_name": "deals"}, ["resource_name"]),
        ({**PLACE, "unified_model_id": "model", "resource_name": "notes"}, ["method_name"]),
        ({"unified_model_id": "model", "integration_name": "none"}, ["integration_name"]),
        ({**PLACE, "unified_model_id": "model", "config": {"query_mapping": "1 +"}}, ["config.query_mapping"]),
    ],
)
def test_mapping_that_does_not_fit_is_refused(service: MappingService, fields: JsonObject, expected: list[str]) -> None:
    with pytest.raises(InvalidInputError) as raised:
        service.create(ENVIRONMENT, fields)

    assert paths(raised) == expected


def test_mapping_that_changed_meanwhile_is_not_changed(
    service: MappingService, methods: FakeTable[UnifiedModelMethod]
) -> None:
    def change() -> None:
        methods.rows["method"] = replace(methods.rows["method"], version=9)

    methods.before_update = change

    with pytest.raises(InvalidInputError) as raised:
        service.update(ENVIRONMENT, "method", {"config": {"resource": "people"}})

    assert paths(raised) == ["version"]


def test_layers_lie_over_each_other_with_the_accounts_on_top() -> None:
    layers = MappingLayers(
        resources={"contacts": {}},
        base={"resource": "a", "query": {"x": 1, "y": 1}, "method": "m"},
        environment={"resource": "b", "query": {"y": 2}},
    )
    override = {"crm": {"contacts": {"list": {"query": {"x": None, "z": 3}, "method": None}}}}

    mapping, faults = unified({"crm/contacts": {"list": layers}}).find(
        account(unified_model_override=override), UnifiedName("crm", "contacts"), "list"
    )

    assert (mapping is not None, faults) == (True, [])
    assert mapping is not None
    assert (mapping.resource, mapping.method) == ("b", "list")
    assert isinstance(mapping.query, Template)
    assert mapping.query.resolve({}) == {"y": 2, "z": 3}


def test_an_account_alone_can_map_a_method_and_nobody_else_does() -> None:
    layers = MappingLayers(resources={"contacts": {}}, base=None, environment=None)
    known = unified({"crm/contacts": {"list": layers}})
    items, _ = definition.parse_resources([{"resource": "crm/contacts", "method": "list"}])
    override: JsonObject = {"crm": {"contacts": {"list": {}}}}

    found, none = known.find_all(account(unified_model_override=override), items)
    missing, faults = known.find_all(account(), items)

    assert (list(found), none, missing) == (["crm/contacts"], [], {})
    assert faults[0].message.startswith("Resource contacts not found for integration helpdesk")


def test_items_that_are_no_unified_api_are_not_looked_up() -> None:
    items, _ = definition.parse_resources([{"resource": "tickets", "method": "list"}])

    assert unified().find_all(account(), items) == ({}, [])
    assert unified().model_failures(ENVIRONMENT, items) == []


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"resource": "hr/people", "method": "list"}, "Unified Model not found: 'hr'"),
        ({"resource": "crm/deals", "method": "list"}, "Resource deals not found in unified model crm"),
        ({"resource": "crm/contacts", "method": "merge"}, "has no method 'merge'"),
    ],
)
def test_items_over_what_no_model_has_are_told(item: JsonObject, message: str) -> None:
    layers = MappingLayers(resources={"contacts": {}}, base={"query_mapping": "1 +"}, environment=None)
    known = unified({"crm/contacts": {"list": layers}})
    items, _ = definition.parse_resources([item])

    (failure,) = known.model_failures(ENVIRONMENT, items)
    _, (at_account,) = known.find_all(account(), items)

    assert (failure.path, failure.missing_reference) == ("resources.0.resource", True)
    assert message in failure.message
    assert message in at_account.message
