"""Show the rate budget of an account, and reset it: what waits for it continues at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from app.engine.errors import BrokerUnavailableError, ConflictError
from app.engine.limits import budget_state
from app.engine.limits.budget_state import Budget
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.runs import SyncJobRun
from app.engine.runs.work import WakeUp
from app.services.accounts.accounts import AccountService
from app.services.accounts.ports import BudgetDesk, ParkedRun
from app.services.ports import Dispatcher

_ATTEMPTS: Final = 8
_NOT_SHARED: Final = (
    "rate budgets are kept in each daemon, since the broker is no Redis: set FERRYMAN_BUDGET_URL to share them, "
    "or start the daemons anew"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """The requests that an upstream says remain until it resets them."""

    left: int
    size: int | None
    resets_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountBudget:
    """What is known of an account's limits, and which runs wait for them."""

    id: str
    """The account's."""
    is_shared: bool
    """All processes share it; else each has its own, which is not shown here."""
    is_known: bool
    """Something was learned from requests of the last hour."""
    is_reachable: bool = True
    """False while the store of shared budgets is unreachable; the waiting runs are known all the same."""
    paused_until: datetime | None = None
    requests_at_once: int | None = None
    requests_per_second: float | None = None
    """None: no pace was learned."""
    refusals_in_a_row: int = 0
    under_way: int = 0
    waiting: int = 0
    """Requests that wait in the processes."""
    quota: Quota | None = None
    parked_runs: Sequence[ParkedRun] = ()


class AccountBudgets:
    """The budgets of accounts."""

    def __init__(
        self,
        *,
        accounts: AccountService,
        desk: BudgetDesk | None,
        list_parked: Callable[[str], Sequence[ParkedRun]],
        wake: Callable[..., Sequence[WakeUp]],
        dispatcher: Dispatcher,
    ) -> None:
        """Without a ``desk`` each process has budgets of its own.

        ``list_parked`` lists the runs of an account with units that sleep until it takes requests again; ``wake`` lets
        those of an account, or of one of its runs, continue now, and returns what to dispatch.
        """
        self._accounts = accounts
        self._desk = desk
        self._list_parked = list_parked
        self._wake_parked = wake
        self._dispatcher = dispatcher

    def show(self, environment_id: EnvironmentId, account_id: str) -> AccountBudget:
        """Return what is known of an account's limits; raise NotFoundError."""
        account = self._accounts.get(environment_id, account_id)
        runs = self._list_parked(account.id)
        if self._desk is None:
            return AccountBudget(id=account.id, is_shared=False, is_known=False, parked_runs=runs)
        try:
            read = self._desk.read(account.id)
        except BrokerUnavailableError:
            return AccountBudget(id=account.id, is_shared=True, is_known=False, is_reachable=False, parked_runs=runs)
        budget = budget_state.read_budget(read.current)
        if budget is None:
            return AccountBudget(id=account.id, is_shared=True, is_known=False, parked_runs=runs)
        return _describe(account.id, budget, runs, now=read.now)

    def reset(self, environment_id: EnvironmentId, account_id: str) -> Sequence[str]:
        """Discard what was learned of an account's limits; return the runs that waited for them and continue now.

        Raises NotFoundError, BrokerUnavailableError, and ConflictError where budgets are not shared.
        """
        account = self._accounts.get(environment_id, account_id)
        if self._desk is None:
            raise ConflictError(_NOT_SHARED)
        self._desk.forget(account.id)
        return self._wake(account.id)

    def let_go_on(self, run: SyncJobRun) -> bool:
        """End a run's wait for its account's limit: one request probes that. Return whether the run waited.

        What was learned stays. Where budgets are not shared, daemons that know the limit continue to wait.
        """
        if not any(parked.run_id == run.id for parked in self._list_parked(run.integrated_account_id)):
            return False
        if self._desk is not None:
            self._end_pause(self._desk, run.integrated_account_id)
        return bool(self._wake(run.integrated_account_id, run_id=run.id))

    def _wake(self, account_id: str, *, run_id: str | None = None) -> Sequence[str]:
        wake_ups = self._wake_parked(account_id=account_id, run_id=run_id)
        self._dispatcher.dispatch(wake_ups)
        return sorted({wake_up.run_id for wake_up in wake_ups})

    def _end_pause(self, desk: BudgetDesk, account_id: str) -> None:
        """End the pause of a budget, also while others change it."""
        read = desk.read(account_id)
        text = read.current
        for _ in range(_ATTEMPTS):
            budget = budget_state.read_budget(text)
            if budget is None:
                return
            swapped = desk.swap(account_id, expected=text, text=budget_state.write_budget(budget_state.reopen(budget)))
            if swapped.is_done:
                return
            text = swapped.current


def _describe(account_id: str, budget: Budget, runs: Sequence[ParkedRun], *, now: float) -> AccountBudget:
    holders = [holder for holder in budget.holders.values() if holder.until > now]
    quota = budget.quota if budget.quota is not None and budget.quota.until > now else None
    under_way = sum(holder.in_flight for holder in holders)
    return AccountBudget(
        id=account_id,
        is_shared=True,
        is_known=True,
        paused_until=_paused_until(budget, now),
        requests_at_once=1 if budget.is_probing else max(1, int(budget.window)),
        requests_per_second=budget.pace,
        refusals_in_a_row=budget.strikes,
        under_way=under_way,
        waiting=max(0, sum(holder.wanted for holder in holders) - under_way),
        quota=None if quota is None else Quota(left=quota.left, size=quota.size, resets_at=_time(quota.until)),
        parked_runs=runs,
    )


def _paused_until(budget: Budget, now: float) -> datetime | None:
    moments = [budget.not_before]
    if budget.quota is not None and budget.quota.left <= 0:
        moments.append(budget.quota.until)
    until = max(moments)
    return _time(until) if until > now else None


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
