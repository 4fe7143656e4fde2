"""What an integration offers is read as its environment, or an account, uses it."""

from collections.abc import Sequence
from typing import Any

import pytest

from app.engine.errors import InvalidInputError, NotFoundError
from app.engine.integrations.offers import MappedModel
from app.engine.objects.environments import EnvironmentId
from app.engine.redaction import MASK
from app.services.catalog.offers import Offers
from tests.unit.services.service_tables import CONFIG, ELSEWHERE, ENVIRONMENT, FakeTable, account, integration

INTEGRATION = "7b3a0000-0000-4000-8000-000000000001"
OVERRIDE = {"crm": {"contacts": {"list": {}}}}


class Models:
    """One model of which nothing is mapped."""

    def mapped(self, environment_id: EnvironmentId, integration_name: str) -> Sequence[MappedModel]:
        return [MappedModel(id="m", name="crm", category=None, resources={"contacts": {}})]


def offers(**fields: Any) -> Offers:
    config = {**CONFIG, "headers": {"X-Api-Key": "literal"}, "resources": {"people": {"list": {}}}}
    integrations = FakeTable(integration, integration(id=INTEGRATION, config=config))
    held = account(unified_model_override=OVERRIDE, integration_id=INTEGRATION, **fields)
    return Offers(
        accounts=FakeTable(account, held),
        integrations=integrations,
        find_integration=integrations.by_name,
        models=Models().mapped,
    )


@pytest.mark.parametrize("named", [INTEGRATION, INTEGRATION.upper(), "helpdesk"])
def test_an_integration_offers_what_its_config_says(named: str) -> None:
    offering = offers().describe_integration(ENVIRONMENT, named)

    assert [tool["name"] for tool in offering.describe_tools()] == ["list_helpdesk_people"]
    assert offering.list_unified_apis() == []
    assert offering.shown_config["headers"] == {"X-Api-Key": MASK}


def test_an_account_offers_what_its_overrides_add() -> None:
    override = {"resources": {"notes": {"get": {}}}}

    offering = offers(integration_override=override).describe_account(ENVIRONMENT, "account")

    assert [tool["resource"] for tool in offering.describe_tools()] == ["notes", "people"]
    assert [api["name"] for api in offering.list_unified_apis()] == ["crm"]


def test_what_is_not_there_is_told() -> None:
    with pytest.raises(NotFoundError, match="integrated account"):
        offers().describe_account(ELSEWHERE, "account")
    for named in (INTEGRATION, "helpdesk"):
        with pytest.raises(NotFoundError, match="integration"):
            offers().describe_integration(ELSEWHERE, named)
    lost = offers()
    lost._integrations = FakeTable(integration)
    with pytest.raises(NotFoundError, match="integration"):
        lost.describe_account(ENVIRONMENT, "account")
    with pytest.raises(InvalidInputError, match="base_url"):
        offers(integration_override={"base_url": 5}).describe_account(ENVIRONMENT, "account")
