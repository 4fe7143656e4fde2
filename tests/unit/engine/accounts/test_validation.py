"""An account is put to rest and woken by hand; nothing else of its status is decided so."""

import pytest

from app.engine.accounts import validation
from app.engine.json_types import JsonObject
from app.engine.status import AccountStatus
from tests.unit.services.service_tables import account

ACTIVE, INACTIVE, NEEDY = AccountStatus.ACTIVE, AccountStatus.INACTIVE, AccountStatus.NEEDS_REAUTH


@pytest.mark.parametrize(
    ("sent", "stored", "shown", "left"),
    [
        ({}, ACTIVE, ACTIVE, {}),
        ({"status": "inactive"}, ACTIVE, ACTIVE, {"status": "inactive"}),
        ({"status": "inactive"}, NEEDY, NEEDY, {"status": "inactive"}),
        ({"status": "inactive"}, INACTIVE, INACTIVE, {"status": "inactive"}),
        ({"status": "active"}, INACTIVE, INACTIVE, {"status": "active"}),
        ({"status": "active"}, ACTIVE, ACTIVE, {}),
        ({"status": "needs_reauth"}, NEEDY, NEEDY, {}),
        ({"status": "needs_reauth"}, ACTIVE, NEEDY, {}),
    ],
)
def test_status_that_is_sent_changes_what_it_may(sent: JsonObject, stored: str, shown: str, left: JsonObject) -> None:
    values, faults = validation.resolve_status({"a": 1, **sent}, account(status=stored), shown, has_context=False)

    assert (values, faults) == ({"a": 1, **left}, [])


@pytest.mark.parametrize(
    ("sent", "stored", "message"),
    [
        ("needs_reauth", ACTIVE, "expected active or inactive"),
        ("paused", ACTIVE, "expected active or inactive"),
        ("active", NEEDY, "is needs_reauth, which new credentials end"),
    ],
)
def test_status_that_nobody_decides_is_refused(sent: str, stored: str, message: str) -> None:
    values, (fault,) = validation.resolve_status({"status": sent}, account(status=stored), stored, has_context=False)

    assert (values, fault.path) == ({}, "status")
    assert fault.message.startswith(message)


def test_new_credentials_make_an_account_active_whatever_is_sent_with_them() -> None:
    assert validation.resolve_status({"status": "active"}, account(status=NEEDY), NEEDY, has_context=True) == ({}, [])


@pytest.mark.parametrize(("fields", "count"), [({}, 0), ({"status": "inactive"}, 0), ({"status": "needs_reauth"}, 1)])
def test_new_account_is_active_or_at_rest(fields: JsonObject, count: int) -> None:
    assert len(validation.check_new_status(fields)) == count
