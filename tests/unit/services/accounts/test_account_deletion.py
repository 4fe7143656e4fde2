"""Accounts are deleted together or not at all, erased later unless at once is asked for, and come back until then."""

import pytest

from app.engine.errors import ConflictError, InvalidInputError, NotFoundError
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.environments import EnvironmentId
from app.services.accounts.deletion import AccountDeletion
from tests.unit.services.service_tables import ELSEWHERE, ENVIRONMENT, FakeTable, account


class Deleted:
    """Two accounts that were deleted; the integration of one is gone."""

    def restore(self, environment_id: EnvironmentId, account_id: str) -> bool | None:
        return {"account": True, "orphan": False}.get(account_id)

    def hasten(self, environment_id: EnvironmentId, account_id: str) -> bool:
        return account_id == "orphan"


def deletion(accounts: FakeTable[IntegratedAccount]) -> AccountDeletion:
    deleted = Deleted()
    return AccountDeletion(accounts, restore=deleted.restore, hasten=deleted.hasten, erase_after_seconds=3600.0)


def test_account_is_removed_once() -> None:
    accounts = FakeTable(account, account())

    assert deletion(accounts).delete(ENVIRONMENT, "account") == "account"
    with pytest.raises(NotFoundError):
        deletion(accounts).delete(ENVIRONMENT, "account")


def test_accounts_are_removed_together_or_not_at_all() -> None:
    accounts = FakeTable(account, account(), account(id="second"), account(id="theirs", environment_id=ELSEWHERE))

    with pytest.raises(InvalidInputError) as raised:
        deletion(accounts).delete_all(ENVIRONMENT, ["account", "theirs", "gone"])

    assert [failure.path for failure in raised.value.failures] == ["ids.1", "ids.2"]
    assert all(failure.missing_reference for failure in raised.value.failures)
    assert deletion(accounts).delete_all(ENVIRONMENT, ["account", "second"]) == ["account", "second"]
    assert set(accounts.rows) == {"theirs"}


def test_those_that_are_there_are_removed() -> None:
    accounts = FakeTable(account, account(), account(id="second"))

    assert deletion(accounts).delete_present(ENVIRONMENT, ["gone", "second"]) == ["second"]
    assert deletion(accounts).delete_present(ENVIRONMENT, ["gone"]) == []
    assert set(accounts.rows) == {"account"}


@pytest.mark.parametrize(("at_once", "seconds"), [(False, 3600.0), (True, 0.0)], ids=["later", "at once"])
def test_deleted_account_is_erased_later_unless_at_once_is_asked_for(at_once: bool, seconds: float) -> None:
    accounts = FakeTable(account, account(), account(id="second"))

    deletion(accounts).delete(ENVIRONMENT, "account", erase_at_once=at_once)
    deletion(accounts).delete_all(ENVIRONMENT, ["second"], erase_at_once=at_once)

    assert accounts.erase_after == {"account": seconds, "second": seconds}


def test_account_that_was_deleted_before_is_erased_at_once_after_all() -> None:
    accounts = FakeTable(account, account())

    assert deletion(accounts).delete(ENVIRONMENT, "orphan", erase_at_once=True) == "orphan"
    for at_once in (True, False):
        with pytest.raises(NotFoundError):
            deletion(accounts).delete(ENVIRONMENT, "gone", erase_at_once=at_once)
    with pytest.raises(NotFoundError):
        deletion(accounts).delete(ENVIRONMENT, "orphan")


def test_deletion_is_undone_or_tells_why_not() -> None:
    accounts = FakeTable(account, account())

    deletion(accounts).restore(ENVIRONMENT, "account")
    with pytest.raises(InvalidInputError, match="no deleted account 'gone' waits to be erased"):
        deletion(accounts).restore(ENVIRONMENT, "gone")
    with pytest.raises(ConflictError, match="the integration of account 'orphan' was deleted meanwhile"):
        deletion(accounts).restore(ENVIRONMENT, "orphan")
