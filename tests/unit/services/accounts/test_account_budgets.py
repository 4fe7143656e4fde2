"""The budget of an account is shown, and reset: what waits for it goes on at once."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from app.engine.errors import BrokerUnavailableError, ConflictError
from app.engine.limits import budget_state
from app.engine.limits.budget_state import Budget, Holder, Quota
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.runs import SyncJobRun
from app.engine.runs.work import WakeUp
from app.engine.status import RunStatus
from app.services.accounts.budgets import AccountBudgets
from app.services.accounts.ports import ParkedRun
from app.services.ports import Swapped
from tests.unit.services.accounts.test_account_service import service
from tests.unit.services.service_fakes import FakeDispatcher
from tests.unit.services.service_tables import FakeTable, account, run

NOW = 1_000.0
ENVIRONMENT = EnvironmentId("environment")
KNOWN = Budget(window=8.0, threshold=64.0)


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@dataclass
class FakeDesk:
    """Budgets that somebody else changes as often as ``others`` says before a swap is done."""

    texts: dict[str, str] = field(default_factory=dict)
    others: int = 0
    is_away: bool = False

    def read(self, account_id: str) -> Swapped:
        if self.is_away:
            raise BrokerUnavailableError
        return Swapped(is_done=False, current=self.texts.get(account_id, ""), now=NOW)

    def swap(self, account_id: str, *, expected: str, text: str) -> Swapped:
        if self.others:
            self.others -= 1
            budget = budget_state.read_budget(self.texts[account_id])
            assert budget is not None
            self.texts[account_id] = budget_state.write_budget(replace(budget, window=budget.window + 1))
        if self.texts.get(account_id, "") != expected:
            return Swapped(is_done=False, current=self.texts[account_id], now=NOW)
        self.texts[account_id] = text
        return Swapped(is_done=True, current="", now=NOW)

    def forget(self, account_id: str) -> None:
        self.texts.pop(account_id, None)


@dataclass
class FakeParked:
    """Two runs of the account that sleep."""

    sleeping: list[str] = field(default_factory=lambda: ["run", "other"])

    def of_account(self, account_id: str) -> list[ParkedRun]:
        return [ParkedRun(run_id=run_id, units=1, wakes_at=at(NOW + 60)) for run_id in self.sleeping]

    def wake(self, *, account_id: str, run_id: str | None = None) -> list[WakeUp]:
        woken = [one for one in self.sleeping if run_id in (None, one)]
        self.sleeping = [one for one in self.sleeping if one not in woken]
        return [WakeUp(run_id=one, unit_id=f"unit-of-{one}", queue="q") for one in woken]


class Here:
    """The service over its fakes."""

    def __init__(self, budget: Budget | None = None, *, is_shared: bool = True) -> None:
        self.desk = FakeDesk({} if budget is None else {"account": budget_state.write_budget(budget)})
        self.parked = FakeParked()
        self.dispatcher = FakeDispatcher()
        self.budgets = AccountBudgets(
            accounts=service(FakeTable(account, account())),
            desk=self.desk if is_shared else None,
            list_parked=self.parked.of_account,
            wake=self.parked.wake,
            dispatcher=self.dispatcher,
        )

    @property
    def kept(self) -> Budget | None:
        return budget_state.read_budget(self.desk.texts.get("account", ""))


def test_budget_is_shown_with_what_is_under_way_and_who_waits() -> None:
    holders = {
        "here": Holder(slots=4, wanted=9, in_flight=4, until=NOW + 1),
        "killed": Holder(slots=4, wanted=9, in_flight=4, until=NOW - 1),
    }
    quota = Quota(left=0, size=100, until=NOW + 30)
    here = Here(replace(KNOWN, not_before=NOW + 20, strikes=2, pace=5.0, holders=holders, quota=quota))

    shown = here.budgets.show(ENVIRONMENT, "account")

    assert (shown.is_shared, shown.is_known, shown.paused_until) == (True, True, at(NOW + 30))
    assert (shown.requests_at_once, shown.requests_per_second, shown.refusals_in_a_row) == (8, 5.0, 2)
    assert (shown.under_way, shown.waiting) == (4, 5)
    assert shown.quota is not None
    assert (shown.quota.left, shown.quota.size, shown.quota.resets_at) == (0, 100, at(NOW + 30))
    assert [parked.run_id for parked in shown.parked_runs] == ["run", "other"]


def test_what_is_over_is_not_shown() -> None:
    here = Here(replace(KNOWN, not_before=NOW - 1, is_probing=True, quota=Quota(left=0, size=9, until=NOW - 1)))

    shown = here.budgets.show(ENVIRONMENT, "account")

    assert (shown.requests_at_once, shown.quota, shown.is_known) == (1, None, True)


@pytest.mark.parametrize(("here", "is_shared"), [(Here(), True), (Here(is_shared=False), False)])
def test_budget_of_which_nothing_is_known_tells_who_waits_all_the_same(here: Here, is_shared: bool) -> None:
    shown = here.budgets.show(ENVIRONMENT, "account")

    assert (shown.is_shared, shown.is_known, len(shown.parked_runs)) == (is_shared, False, 2)


def test_who_waits_is_shown_also_while_budgets_can_not_be_reached() -> None:
    here = Here(KNOWN)
    here.desk.is_away = True

    shown = here.budgets.show(ENVIRONMENT, "account")

    assert (shown.is_reachable, shown.is_known, len(shown.parked_runs)) == (False, False, 2)


def test_reset_forgets_what_was_learned_and_wakes_all_runs_of_the_account() -> None:
    here = Here(replace(KNOWN, not_before=NOW + 3600))

    assert here.budgets.reset(ENVIRONMENT, "account") == ["other", "run"]

    assert (here.kept, here.parked.sleeping) == (None, [])
    assert here.dispatcher.unit_ids == ["unit-of-run", "unit-of-other"]


def test_budgets_that_each_daemon_has_for_itself_can_not_be_reset_from_here() -> None:
    with pytest.raises(ConflictError, match="FERRYMAN_BUDGET_URL"):
        Here(is_shared=False).budgets.reset(ENVIRONMENT, "account")


def test_run_that_waits_tries_at_once_by_one_request_and_what_was_learned_stays() -> None:
    here = Here(replace(KNOWN, not_before=NOW + 3600, pace=5.0, quota=Quota(left=0, size=1, until=NOW + 3600)))
    here.desk.others = 2

    assert here.budgets.let_go_on(parked())

    assert here.kept is not None
    assert (here.kept.not_before, here.kept.quota, here.kept.is_probing, here.kept.pace) == (0.0, None, True, 5.0)
    assert here.kept.window == 10.0
    assert here.parked.sleeping == ["other"]


@pytest.mark.parametrize("here", [Here(), Here(is_shared=False)], ids=["nothing known", "not shared"])
def test_run_is_woken_also_where_no_budget_keeps_it(here: Here) -> None:
    assert here.budgets.let_go_on(parked())
    assert here.dispatcher.unit_ids == ["unit-of-run"]


def test_run_that_does_not_wait_leaves_the_budget_as_it_is() -> None:
    here = Here(replace(KNOWN, not_before=NOW + 3600))

    assert not here.budgets.let_go_on(parked(id="a third"))

    assert here.kept is not None
    assert here.kept.not_before == NOW + 3600


def test_budget_that_others_change_all_the_time_does_not_keep_a_run_from_being_woken() -> None:
    here = Here(replace(KNOWN, not_before=NOW + 3600))
    here.desk.others = 99

    assert here.budgets.let_go_on(parked())


def parked(id: str = "run") -> SyncJobRun:
    return run(id=id, status=RunStatus.RATE_LIMITED, integrated_account_id="account")
