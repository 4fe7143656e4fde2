"""Who changes what held records are known by is told so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from app.engine.errors import UnreadableSecretError
from app.engine.json_types import JsonObject
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.integrations import Integration
from app.services.catalog.key_changes import Holding, KeyChanges
from tests.unit.services.service_tables import ENVIRONMENT, FakeTable, account, integration

JOB = [{"resource": "lines", "method": "list", "persist": True}]
BY_UID: JsonObject = {"resources": {"lines": {"list": {"id_path": "uid"}}}}


def holding(**changes: Any) -> Holding:
    facts = {"resource": "lines", "job_id": "job", "job_resources": JOB, "integration_id": "integration"}
    return Holding(**{**facts, "accounts": 2, **changes})


@dataclass
class FakeHoldings:
    """Held records, and what was asked for."""

    held: list[Holding] = field(default_factory=lambda: [holding()])
    asked: list[Mapping[str, str]] = field(default_factory=list)

    def of(self, environment_id: EnvironmentId, place: Mapping[str, str]) -> Sequence[Holding]:
        self.asked.append(place)
        return list(self.held)


class World:
    """The key changes of one integration with one account."""

    def __init__(self) -> None:
        self.holdings = FakeHoldings()
        self.integrations: FakeTable[Integration] = FakeTable(integration, integration())
        self.accounts: FakeTable[IntegratedAccount] = FakeTable(account, account())
        self.changes = KeyChanges(self.holdings.of, self.integrations, self.accounts.inspect)

    def configure(self, config: JsonObject) -> None:
        current = self.integrations.rows["integration"]
        self.integrations.rows["integration"] = replace(current, config={**current.config, **config})


def test_changed_id_path_is_told_with_the_accounts_that_hold_records() -> None:
    world = World()
    world.holdings.held.append(holding(job_id="other", accounts=5))
    finish = world.changes.watch_integration(ENVIRONMENT, "integration")
    world.configure(BY_UID)

    (warning,) = finish()

    assert (warning["code"], warning["resource"], warning["accounts"]) == ("key_changed", "lines", 5)
    assert "known by 'id', from the next run on by 'uid'" in warning["message"]
    assert world.holdings.asked == [{"integration_id": "integration"}] * 2


def test_override_of_an_account_counts_for_it() -> None:
    world = World()
    finish = world.changes.watch_account(ENVIRONMENT, "account")
    world.accounts.rows["account"] = replace(world.accounts.rows["account"], integration_override=BY_UID)

    assert [warning["resource"] for warning in finish()] == ["lines"]


def test_field_of_a_parent_is_told() -> None:
    world = World()
    child = {**JOB[0], "depends_on": "orders"}
    world.holdings.held = [holding(job_resources=[{"resource": "orders", "method": "list"}, child])]
    finish = world.changes.watch_job(ENVIRONMENT, "job")
    included = {**child, "include_from_parent": ["id"]}
    world.holdings.held = [holding(job_resources=[{"resource": "orders", "method": "list"}, included])]

    assert [warning["resource"] for warning in finish()] == ["lines"]


@pytest.mark.parametrize(
    "held",
    [[], [holding(integration_id="gone")], [holding(job_resources=[])], [holding(resource="others")]],
    ids=["nothing held", "integration gone", "job faulty", "no longer in the job"],
)
def test_nothing_is_told_where_no_key_changes(held: list[Holding]) -> None:
    world = World()
    world.holdings.held = held
    finish = world.changes.watch_integration(ENVIRONMENT, "integration")
    world.configure(BY_UID)

    assert finish() == []


def test_other_changes_tell_nothing() -> None:
    world = World()
    finish = world.changes.watch_integration(ENVIRONMENT, "integration")
    world.configure({"headers": {"X-Client": "ferryman"}})

    assert finish() == []


def test_integration_that_can_not_be_read_is_warned_of_nothing() -> None:
    class Unreadable(FakeTable[Integration]):
        def get(self, environment_id: EnvironmentId, id: str) -> Integration | None:
            raise UnreadableSecretError

    world = World()
    unreadable = Unreadable(integration, integration())
    finish = KeyChanges(world.holdings.of, unreadable, world.accounts.inspect).watch_account(ENVIRONMENT, "account")

    assert finish() == []
