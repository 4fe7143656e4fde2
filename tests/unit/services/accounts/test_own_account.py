"""What the holder of an account may change of it: what its integration's credentials ask for."""

from typing import Any

import pytest

from app.engine.errors import Failure, InvalidInputError, NotFoundError
from app.engine.json_types import JsonObject
from app.engine.redaction import MASK
from app.services.accounts.accounts import AccountService
from tests.unit.services.accounts.test_account_service import service
from tests.unit.services.service_tables import CONFIG, ENVIRONMENT, FakeTable, account

FIELDS: JsonObject = {"fields": [{"name": "api_key", "type": "password"}, {"name": "site"}]}
CREDENTIALS: JsonObject = {"format": "api_key", "config": FIELDS}


def own(credentials: Any = CREDENTIALS, **fields: Any) -> AccountService:
    rows = FakeTable(account, account(context={"api_key": "old", "plan": "pro"}, **fields))
    config = {**CONFIG, "credentials": credentials}
    return service(rows, config)


def test_values_that_the_credentials_ask_for_are_merged() -> None:
    changed = own().update_own(ENVIRONMENT, "account", {"context": {"site": "x", "api_key": MASK}})

    assert changed.context == {"api_key": "old", "plan": "pro", "site": "x"}
    assert own().get(ENVIRONMENT, "account").id == "account"


@pytest.mark.parametrize(
    ("context", "path", "message"),
    [
        ({"plan": "free"}, "context.plan", "ask for api_key, site"),
        ({"oauth": {"token": {}}}, "context.oauth", "can not be set by the account's own token"),
        ({"api_key": None}, "context.api_key", "expected a text, a number or a boolean"),
        ({"site": {"a": 1}}, "context.site", "expected a text, a number or a boolean"),
    ],
)
def test_anything_else_is_refused_with_every_other_fault(context: JsonObject, path: str, message: str) -> None:
    fault = Failure("x", "wrong")

    with pytest.raises(InvalidInputError) as raised:
        own().update_own(ENVIRONMENT, "account", {"context": context}, [fault])

    assert [failure.path for failure in raised.value.failures] == ["x", path]
    assert message in raised.value.failures[1].message


@pytest.mark.parametrize("credentials", [None, [], {"format": "api_key"}, {"format": "api_key", "fields": "x"}])
def test_nothing_can_be_set_where_the_credentials_ask_for_nothing(credentials: Any) -> None:
    with pytest.raises(InvalidInputError, match="ask for nothing"):
        own(credentials).update_own(ENVIRONMENT, "account", {"context": {"api_key": "new"}})


def test_an_accounts_override_counts() -> None:
    override = {"credentials": {"config": {"fields": [{"name": "plan"}]}}}

    changed = own(integration_override=override).update_own(ENVIRONMENT, "account", {"context": {"plan": "free"}})

    assert changed.context["plan"] == "free"


def test_an_integration_that_is_gone_is_told() -> None:
    with pytest.raises(NotFoundError, match="integration 'helpdesk'"):
        own(integration_id="gone").update_own(ENVIRONMENT, "account", {"context": {}})
