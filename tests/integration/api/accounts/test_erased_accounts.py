"""Deleted accounts: undone until they are erased, erased at once on demand; records by account and resource."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, insert

from app.api.resources.services import ApiServices
from app.engine.ids import new_id
from app.engine.objects.environments import EnvironmentId
from app.services.maintenance.duty_rows import Pace
from app.services.maintenance.erasure import ErasureDuty
from app.settings import Settings
from app.store import tables
from app.store.maintenance.erasures import ErasureStore
from tests.integration.api.calling import Caller, Catalog


class NoRuns:
    """There is no run to end."""

    def stop(self, run_id: str) -> bool:
        raise AssertionError(run_id)


@pytest.fixture
def erase_due(engine: Engine) -> Callable[[], None]:
    """Erase what is due, as the leader does."""

    def erase() -> None:
        erasing = ErasureDuty(ErasureStore(engine), NoRuns(), Pace(pause=lambda _: None))
        while erasing.run_turn():
            pass

    return erase


@pytest.fixture
def account_id(catalog: Catalog) -> str:
    return str(catalog.account["id"])


def keep_record(engine: Engine, account_id: str, resource: str) -> None:
    values = {"integrated_account_id": account_id, "resource": resource, "remote_id": "1", "data": {"name": "x"}}
    with engine.begin() as connection:
        connection.execute(
            insert(tables.record).values(content_hash=b"", sync_job_run_id=new_id(), sequence=1, **values)
        )


def test_deleted_account_is_out_of_sight_and_comes_back(
    api: Caller, catalog: Catalog, engine: Engine, account_id: str, erase_due: Callable[[], None]
) -> None:
    keep_record(engine, account_id, "users")

    assert api.delete(f"/integrated-account/{account_id}").body == {"id": account_id}
    erase_due()

    assert api.get(f"/integrated-account/{account_id}").status == 404
    assert api.get("/record", integrated_account_id=account_id).status == 404
    assert api.post("/sync-job-run", catalog.run_body).status == 404
    (waiting,) = api.get("/erasure", integrated_account_id=account_id).body["result"]
    assert (waiting["status"], waiting["resource"], waiting["erased"]) == ("waiting", None, {})
    assert waiting["due_at"] > waiting["created_at"]

    restore_masked = api.post("/integrated-account/restore", {"id": account_id})
    assert (restore_masked.status, restore_masked.body) == (200, api.get(f"/integrated-account/{account_id}").body)
    assert restore_masked.body == catalog.account
    assert len(api.get("/record", integrated_account_id=account_id).body["result"]) == 1
    assert api.get(f"/erasure/{waiting['id']}").status == 404


@pytest.mark.parametrize("deleted_before", [False, True], ids=["at once", "after all"])
def test_account_is_erased_on_demand(
    api: Caller, engine: Engine, account_id: str, erase_due: Callable[[], None], deleted_before: bool
) -> None:
    keep_record(engine, account_id, "users")
    if deleted_before:
        assert api.delete(f"/integrated-account/{account_id}").status == 200

    assert api.delete(f"/integrated-account/{account_id}?erase=true").body == {"id": account_id}
    erase_due()

    (erasure,) = api.get("/erasure", integrated_account_id=account_id).body["result"]
    assert api.get(f"/erasure/{erasure['id']}").body == erasure
    assert (erasure["status"], erasure["erased"]["record"]) == ("erased", 1)
    assert api.post("/integrated-account/restore", {"id": account_id}).status == 404
    assert api.delete(f"/integrated-account/{account_id}?erase=true").status == 404


def test_many_accounts_are_erased_on_demand(api: Caller, account_id: str, erase_due: Callable[[], None]) -> None:
    second = api.post("/integrated-account", {"integration_name": "acme", "tenant_id": "t2"}).body["id"]

    assert api.post("/integrated-account/bulk-delete", {"ids": [account_id, second], "erase": True}).status == 200
    erase_due()

    erasures = api.get("/erasure").body["result"]
    assert {(one["integrated_account_id"], one["status"]) for one in erasures} == {
        (account_id, "erased"),
        (second, "erased"),
    }


def test_setting_of_zero_leaves_no_time_to_undo(
    settings: Settings, services: ApiServices, environment_id: EnvironmentId, api: Caller, account_id: str
) -> None:
    assert settings.erase_after == 30 * 24 * 3600

    services.account_deletion._erase_after_seconds, kept = 0.0, services.account_deletion._erase_after_seconds
    try:
        api.delete(f"/integrated-account/{account_id}")
    finally:
        services.account_deletion._erase_after_seconds = kept

    (erasure,) = api.get("/erasure").body["result"]
    assert erasure["due_at"] == erasure["created_at"]


def test_integration_of_a_deleted_account_may_go_and_then_nothing_comes_back(
    api: Caller, catalog: Catalog, account_id: str
) -> None:
    api.delete(f"/integrated-account/{account_id}")
    assert api.delete(f"/integration/{catalog.integration['id']}").status == 200

    refused = api.post("/integrated-account/restore", {"id": account_id})

    assert refused.status == 400
    assert "the integration of account" in refused.body["message"]


def test_records_of_a_resource_are_erased(
    api: Caller, engine: Engine, account_id: str, erase_due: Callable[[], None]
) -> None:
    for resource in ("users", "teams"):
        keep_record(engine, account_id, resource)

    asked = api.delete(f"/record?integrated_account_id={account_id}&resource=users")
    erase_due()

    assert (asked.status, asked.body["status"], asked.body["resource"]) == (202, "waiting", "users")
    assert api.get(f"/erasure/{asked.body['id']}").body["erased"] == {"record": 1}
    left = api.get("/record", integrated_account_id=account_id).body["result"]
    assert [record["resource"] for record in left] == ["teams"]


def test_nothing_is_erased_that_is_not_named(api: Caller, stranger: Caller, account_id: str) -> None:
    assert api.delete("/record").paths == ["integrated_account_id", "resource"]
    assert api.delete(f"/record?integrated_account_id={account_id}").paths == ["resource"]
    assert api.delete(f"/record?integrated_account_id={new_id()}&resource=users").status == 404
    assert stranger.delete(f"/record?integrated_account_id={account_id}&resource=users").status == 404
    assert stranger.delete(f"/integrated-account/{account_id}?erase=true").status == 404
    assert api.delete(f"/integrated-account/{account_id}?erase=perhaps").status == 400
    assert api.get("/erasure").body["result"] == []
    api.delete(f"/integrated-account/{account_id}")
    assert stranger.post("/integrated-account/restore", {"id": account_id}).status == 404
    assert stranger.get("/erasure").body["result"] == []
