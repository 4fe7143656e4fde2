"""Many accounts are deleted by their ids, by their tenant, or by filters that say something."""

from typing import Any

import pytest

from app.engine.errors import Failure, InvalidInputError
from app.engine.json_types import JSON
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page
from app.services.accounts.deletion import AccountDeletion, BulkDeletion
from tests.unit.services.service_tables import ENVIRONMENT, FakeTable, account


class Accounts(FakeTable[IntegratedAccount]):
    """Finds accounts by all that may be asked for, and remembers what was."""

    asked: ListFilters

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[IntegratedAccount]:
        self.asked = filters
        wanted = [(name, [value]) for name, value in filters.equal.items()] + list(filters.among)
        found = [
            one
            for one in self.rows.values()
            if all(getattr(one, name) in values for name, values in wanted)
            and all(getattr(one, name) != value for name, value in filters.unlike)
        ]
        return Page(result=found, next_cursor=None, limit=filters.limit)


@pytest.fixture
def accounts() -> Accounts:
    return Accounts(
        account,
        account(id="a", tenant_id="acme"),
        account(id="b", tenant_id="acme", status="needs_reauth"),
        account(id="c", tenant_id="other", integration_name="crm"),
    )


def bulk(accounts: Accounts) -> BulkDeletion:
    deletion = AccountDeletion(accounts, restore=lambda *_: None, hasten=lambda *_: False, erase_after_seconds=60.0)
    return BulkDeletion(accounts, deletion)


@pytest.mark.parametrize(
    ("fields", "deleted"),
    [
        ({"ids": ["a", "c", "a"]}, ["a", "c"]),
        ({"tenant_id": "acme"}, ["a", "b"]),
        ({"tenant_id": "nobody"}, []),
        ({"query": {"tenant_id": "acme", "status": {"ne": "active"}}}, ["b"]),
        ({"query": {"integration.name": {"in": ["crm", "x"]}}}, ["c"]),
        ({"query": {"integration_name": {"eq": "crm"}}}, ["c"]),
    ],
)
def test_accounts_that_are_named_or_found_are_deleted(accounts: Accounts, fields: Any, deleted: list[str]) -> None:
    done = bulk(accounts).delete(ENVIRONMENT, fields)

    assert (list(done.ids), done.matched_count) == (deleted, len(deleted))
    assert not set(accounts.rows) & set(deleted)


@pytest.mark.parametrize("fields", [{"tenant_id": "acme"}, {"ids": ["a", "b"]}])
def test_dry_run_finds_and_deletes_none(accounts: Accounts, fields: Any) -> None:
    done = bulk(accounts).delete(ENVIRONMENT, {**fields, "dry_run": True})

    assert (done.ids, done.matched_count, len(accounts.rows)) == ([], 2, 3)


def test_account_that_goes_meanwhile_is_matched_and_not_deleted(accounts: Accounts) -> None:
    whole = accounts.delete_all

    def late(environment_id: EnvironmentId, ids: Any, *, erase_after_seconds: float) -> Any:
        accounts.rows.pop("a", None)
        return whole(environment_id, ids, erase_after_seconds=erase_after_seconds)

    accounts.delete_all = late  # type: ignore[method-assign]
    done = bulk(accounts).delete(ENVIRONMENT, {"tenant_id": "acme", "erase": True})

    assert (list(done.ids), done.matched_count, accounts.erase_after) == (["b"], 2, {"b": 0.0})


@pytest.mark.parametrize(
    ("fields", "paths"),
    [
        ({}, [""]),
        ({"ids": ["a"], "tenant_id": "acme"}, [""]),
        ({"query": {}}, ["query"]),
        ({"query": {"tenant": "acme", "status": 5}}, ["query.tenant", "query.status"]),
        ({"query": {"status": {"gt": "a"}}}, ["query.status"]),
        ({"query": {"status": {"in": []}}}, ["query.status"]),
        ({"query": {"status": {"in": ["a", 5]}}}, ["query.status"]),
        ({"query": {"status": {"eq": "a", "ne": "b"}}}, ["query.status"]),
        ({"query": {"status": {"ne": "a", "in": ["b"]}}}, ["query.status"]),
        ({"query": {"status": ""}}, ["query.status"]),
    ],
)
def test_what_would_delete_more_than_is_meant_is_refused(accounts: Accounts, fields: Any, paths: list[str]) -> None:
    with pytest.raises(InvalidInputError) as raised:
        bulk(accounts).delete(ENVIRONMENT, fields)

    assert [failure.path for failure in raised.value.failures] == paths
    assert len(accounts.rows) == 3


def test_faults_that_the_caller_found_are_told(accounts: Accounts) -> None:
    fields: dict[str, JSON] = {}

    with pytest.raises(InvalidInputError) as raised:
        bulk(accounts).delete(ENVIRONMENT, fields, [Failure("ids.0", "expected a UUID")])

    assert [failure.path for failure in raised.value.failures] == ["ids.0"]
