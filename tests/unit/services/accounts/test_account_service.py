"""Integrated accounts: made for an integration that is there, their context merged."""

import pytest

from app.engine.errors import Failure, InvalidInputError, NotFoundError, UnreadableSecretError
from app.engine.json_types import JsonObject
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.integrations import EnvironmentIntegration, Integration
from app.engine.objects.lists import ListFilters
from app.engine.redaction import MASK
from app.services.accounts.accounts import AccountService
from app.services.contexts.account_configs import ShownContexts
from tests.unit.services.service_tables import CONFIG, ELSEWHERE, ENVIRONMENT, NOON, FakeTable, account, integration

FIELDS: JsonObject = {"integration_name": "helpdesk", "tenant_id": "t1"}
FAULT = Failure("tenant_id", "expected text")


@pytest.fixture
def accounts() -> FakeTable[IntegratedAccount]:
    return FakeTable(account, account())


INSTALLED = EnvironmentIntegration(
    id="installed",
    environment_id=ENVIRONMENT,
    integration_id="integration",
    override={},
    created_at=NOON,
    updated_at=NOON,
)


class Installations:
    """One installation, of the environment's one integration."""

    def get(self, environment_id: EnvironmentId, id: str) -> EnvironmentIntegration | None:
        return INSTALLED if (environment_id, id) == (ENVIRONMENT, INSTALLED.id) else None


def service(accounts: FakeTable[IntegratedAccount], config: JsonObject | None = None) -> AccountService:
    integrations = FakeTable(integration, integration(config=config or CONFIG))
    return AccountService(accounts, integrations.by_name, integrations, Installations())


def test_account_is_made_for_its_integration(accounts: FakeTable[IntegratedAccount]) -> None:
    made = service(accounts).create(ENVIRONMENT, {**FIELDS, "context": {"api_key": "k"}})

    assert accounts.rows[made.id] == made
    assert (made.integration_id, made.tenant_id, made.context) == ("integration", "t1", {"api_key": "k"})


def test_account_is_made_for_an_integration_as_the_environment_has_it(accounts: FakeTable[IntegratedAccount]) -> None:
    made = service(accounts).create(ENVIRONMENT, {"environment_integration_id": "installed", "tenant_id": "t1"})

    assert made.integration_id == "integration"


@pytest.mark.parametrize(
    ("told", "path", "message"),
    [
        ({}, "integration_name", "expected this or environment_integration_id"),
        ({"environment_integration_id": "gone"}, "environment_integration_id", "does not exist"),
        ({"integration_name": "gone"}, "integration_name", "does not exist"),
    ],
    ids=["none", "no such installation", "no such integration"],
)
def test_integration_that_is_not_told_or_not_there_is_refused(
    accounts: FakeTable[IntegratedAccount], told: JsonObject, path: str, message: str
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        service(accounts).create(ENVIRONMENT, {**told, "tenant_id": "t1"})

    (failure,) = refused.value.failures
    assert (failure.path, message in failure.message) == (path, True)


@pytest.mark.parametrize(
    ("config", "asked", "method"),
    [
        ({}, None, "api_key"),
        ({"credentials": "oauth2"}, None, "api_key"),
        ({"credentials": {"format": ["oauth2", "api_key"]}}, None, "api_key"),
        ({"credentials": {"format": "oauth2"}}, None, "oauth2"),
        ({"credentials": {"format": "oauth2"}}, "basic", "basic"),
    ],
)
def test_way_to_sign_in_is_what_is_asked_for_or_the_integrations_only_one(
    accounts: FakeTable[IntegratedAccount], config: JsonObject, asked: str | None, method: str
) -> None:
    made = service(accounts, {**CONFIG, **config}).create(ENVIRONMENT, {**FIELDS, "authentication_method": asked})

    assert made.authentication_method == method


def test_every_fault_of_a_new_account_is_told(accounts: FakeTable[IntegratedAccount]) -> None:
    with pytest.raises(InvalidInputError) as raised:
        service(accounts).create(ENVIRONMENT, {"integration_name": "crm"}, [FAULT])

    message = "integration 'crm' does not exist"
    assert raised.value.failures == (FAULT, Failure("integration_name", message, missing_reference=True))


def test_integration_name_that_the_caller_found_fault_with_is_told_once(accounts: FakeTable[IntegratedAccount]) -> None:
    fault = Failure("integration_name", "expected text")
    with pytest.raises(InvalidInputError) as raised:
        service(accounts).create(ENVIRONMENT, {}, [fault, FAULT])

    assert raised.value.failures == (fault, FAULT)


def test_context_is_merged_key_by_key_and_masks_keep_their_secret(accounts: FakeTable[IntegratedAccount]) -> None:
    accounts.rows["account"] = account(context={"api_key": "k", "a": 1, "oauth": {"token": "old", "scope": "s"}})
    sent = {"context": {"api_key": MASK, "a": 2, "oauth": {"token": "new"}}, "tenant_id": "other"}

    updated = service(accounts).update(ENVIRONMENT, "account", sent)

    assert updated.tenant_id == "other"
    assert updated.context == {"api_key": "k", "a": 2, "oauth": {"token": "new", "scope": "s"}}


@pytest.mark.parametrize("context", [{"many": ["v"] * 5001}, {"long": "v" * 262_144}], ids=["values", "characters"])
def test_context_that_would_hold_too_much_is_refused(
    accounts: FakeTable[IntegratedAccount], context: JsonObject
) -> None:
    account_id = next(iter(accounts.rows))
    before = accounts.rows[account_id].context

    with pytest.raises(InvalidInputError, match="context: would hold"):
        service(accounts).create(ENVIRONMENT, {**FIELDS, "context": context})
    with pytest.raises(InvalidInputError, match="context: would hold"):
        service(accounts).update(ENVIRONMENT, account_id, {"context": context})

    assert accounts.rows[account_id].context == before


def test_account_at_rest_stays_so_whatever_its_secrets_are_given_for(accounts: FakeTable[IntegratedAccount]) -> None:
    elsewhere = {"context": {"api_key": "k"}, "origins": frozenset({"https://other.test"})}
    accounts.rows["account"] = account(**elsewhere)
    accounts.rows["resting"] = account(id="resting", status="inactive", **elsewhere)

    shown = [service(accounts).get(ENVIRONMENT, id).status for id in ("account", "resting")]
    woken = service(accounts).update(ENVIRONMENT, "resting", {"status": "active"})

    assert (shown, woken.status) == (["needs_reauth", "inactive"], "needs_reauth")


def test_change_without_context_keeps_it(accounts: FakeTable[IntegratedAccount]) -> None:
    updated = service(accounts).update(ENVIRONMENT, "account", {"tenant_id": "t2"})

    assert (updated.tenant_id, updated.context) == ("t2", {"subdomain": "acme"})


def test_faulty_change_changes_nothing(accounts: FakeTable[IntegratedAccount]) -> None:
    with pytest.raises(InvalidInputError):
        service(accounts).update(ENVIRONMENT, "account", {"tenant_id": ""}, [FAULT])

    assert accounts.rows["account"] == account()


def test_account_that_is_removed_during_a_change_is_not_there(accounts: FakeTable[IntegratedAccount]) -> None:
    accounts.before_update = accounts.rows.clear

    with pytest.raises(NotFoundError):
        service(accounts).update(ENVIRONMENT, "account", {"tenant_id": "t2"})


def test_each_environment_sees_its_own_accounts(accounts: FakeTable[IntegratedAccount]) -> None:
    listed = service(accounts).list(ENVIRONMENT, ListFilters())

    assert [row.id for row in listed.result] == ["account"]
    with pytest.raises(NotFoundError):
        service(accounts).get(ELSEWHERE, "account")


@pytest.mark.parametrize(
    ("config", "account_id", "message"),
    [
        (CONFIG, "account", "actions.post_install of 'helpdesk' are not in its config"),
        ({**CONFIG, "actions": {"post_install": {"steps": []}}}, "account", "are not supported yet"),
        ({**CONFIG, "actions": []}, "account", "are not in its config"),
        (CONFIG, "gone", "integrated account 'gone' does not exist"),
        (CONFIG, "lost", "are not in its config"),
    ],
)
def test_post_install_actions_are_refused_with_the_reason(config: JsonObject, account_id: str, message: str) -> None:
    accounts = FakeTable(account, account(), account(id="lost", integration_id="gone"))

    with pytest.raises(InvalidInputError, match=message):
        service(accounts, config).refuse_post_install(ENVIRONMENT, account_id)


@pytest.mark.parametrize("name", ["context", "integration_override"])
def test_mask_does_not_stand_for_what_does_not_decrypt(name: str) -> None:
    accounts = FakeTable(account, account(context={}, unreadable=frozenset({name})))

    with pytest.raises(InvalidInputError) as refused:
        service(accounts).update(ENVIRONMENT, "account", {name: {"a": [{"key": MASK}]}})
    changed = service(accounts).update(ENVIRONMENT, "account", {"context": {"api_key": "new"}})

    assert [failure.path for failure in refused.value.failures] == [name]
    assert changed.context == {"api_key": "new"}


class UnreadableIntegrations(FakeTable[Integration]):
    """Integrations whose secrets do not decrypt."""

    def get(self, environment_id: EnvironmentId, id: str) -> Integration | None:
        raise UnreadableSecretError


def test_accounts_of_an_integration_that_can_not_be_read_are_shown_without_anything_of_their_contexts() -> None:
    here = account(context={"subdomain": "acme"}, origins=frozenset({"https://acme.test"}), plain_paths=None)
    accounts, unreadable = FakeTable(account, here), UnreadableIntegrations(integration, integration())
    service_of = AccountService(accounts, unreadable.by_name, unreadable, Installations())

    (shown,) = service_of.list(ENVIRONMENT, ListFilters()).result

    assert (shown, service_of.get(ENVIRONMENT, here.id)) == (here, here)
    assert ShownContexts(unreadable).mask(here) == {"subdomain": MASK}
