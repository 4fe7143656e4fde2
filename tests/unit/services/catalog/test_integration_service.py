"""Integrations: their config checked whole, merged, and changed by one caller at a time."""

from dataclasses import replace

import pytest

from app.engine.errors import Failure, InvalidInputError, NotFoundError
from app.engine.json_types import JSON
from app.engine.objects.integrations import Integration
from app.engine.objects.lists import ListFilters
from app.engine.redaction import MASK
from app.services.catalog.integrations import IntegrationService
from tests.unit.services.service_tables import CONFIG, ELSEWHERE, ENVIRONMENT, FakeTable, integration

FAULT = Failure("category", "expected text")


@pytest.fixture
def table() -> FakeTable[Integration]:
    return FakeTable(_made, integration(config={**CONFIG, "headers": {"x-key": "k", "accept": "json"}}))


def _made(**fields: JSON) -> Integration:
    return integration(**fields)


def paths(raised: pytest.ExceptionInfo[InvalidInputError]) -> list[str]:
    return [failure.path for failure in raised.value.failures]


def make_service(table: FakeTable[Integration]) -> IntegrationService:
    return IntegrationService(table, table.inspect, table.find_by_name)


def test_integration_is_made(table: FakeTable[Integration]) -> None:
    made = make_service(table).create(ENVIRONMENT, {"name": "crm", "config": CONFIG})

    assert table.rows[made.id].name == "crm"


def test_every_fault_of_a_new_integration_is_told(table: FakeTable[Integration]) -> None:
    with pytest.raises(InvalidInputError) as raised:
        make_service(table).create(ENVIRONMENT, {"name": "helpdesk", "config": []}, [FAULT])

    assert paths(raised) == ["category", "config", "name"]


def test_absent_fields_are_the_callers_fault_to_tell(table: FakeTable[Integration]) -> None:
    with pytest.raises(InvalidInputError) as raised:
        make_service(table).create(ENVIRONMENT, {}, [FAULT])

    assert paths(raised) == ["category"]


def test_config_is_merged_and_a_null_takes_a_key_away(table: FakeTable[Integration]) -> None:
    changes = {"config": {"headers": {"x-key": MASK, "accept": None, "x-new": "n"}}}

    updated = make_service(table).update(ENVIRONMENT, "integration", changes)

    assert updated.config == {**CONFIG, "headers": {"x-key": "k", "x-new": "n"}}
    assert updated.version == 2


def test_change_at_the_present_version_is_taken(table: FakeTable[Integration]) -> None:
    updated = make_service(table).update(ENVIRONMENT, "integration", {"category": "c"}, version=1)

    assert (updated.category, updated.version) == ("c", 2)


def test_every_fault_of_a_change_is_told(table: FakeTable[Integration]) -> None:
    changes = {"name": "crm", "config": {"base_url": 5}}

    with pytest.raises(InvalidInputError) as raised:
        make_service(table).update(ENVIRONMENT, "integration", changes, [FAULT], version=7)

    assert paths(raised) == ["category", "version", "config.base_url", "name"]
    assert table.rows["integration"].version == 1


def test_change_that_somebody_else_was_quicker_with_is_refused(table: FakeTable[Integration]) -> None:
    table.before_update = lambda: table.rows.update(integration=replace(table.rows["integration"], version=2))

    with pytest.raises(InvalidInputError, match="is 2 by now"):
        make_service(table).update(ENVIRONMENT, "integration", {"category": "c"})


def test_integration_that_is_removed_during_a_change_is_not_there(table: FakeTable[Integration]) -> None:
    table.before_update = table.rows.clear

    with pytest.raises(NotFoundError):
        make_service(table).update(ENVIRONMENT, "integration", {"category": "c"})


def test_integration_is_removed_once(table: FakeTable[Integration]) -> None:
    assert make_service(table).delete(ENVIRONMENT, "integration") == "integration"
    with pytest.raises(NotFoundError):
        make_service(table).delete(ENVIRONMENT, "integration")


def test_each_environment_sees_its_own_integrations(table: FakeTable[Integration]) -> None:
    listed = make_service(table).list(ELSEWHERE, ListFilters())

    assert listed.result == []
    assert make_service(table).get(ENVIRONMENT, "integration").name == "helpdesk"
