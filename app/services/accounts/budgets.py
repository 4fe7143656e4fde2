"""Show the rate budget of an account, and reset it: what waits for it goes on at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from app.engine.errors import BrokerUnavailableError, ConflictError
from app.engine.limits import budget_state
from app.engine.limits.budget_state import Budget
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.runs import SyncJobRun
from app.engine.runs.work import WakeUp
from app.services.ports import Dispatcher, Swapped

_ATTEMPTS: Final = 8
_NOT_SHARED: Final = (
    "rate budgets are kept in each daemon, since the broker is no Redis: set FERRYMAN_BUDGET_URL to share them, "
    "or start the daemons anew"
)


class BudgetDesk(Protocol):
    """The shared budgets, for somebody who is no process that uses them."""

    def read(self, account_id: str) -> Swapped:
        """Return what stands there and the time; raise BrokerUnavailableError."""

    def swap(self, account_id: str, *, expected: str, text: str) -> Swapped:
        """Put a text in the place of the expected one, if that still stands there; raise BrokerUnavailableError."""

    def forget(self, account_id: str) -> None:
        """Remove what was learned; raise BrokerUnavailableError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedRun:
    """A run with units that sleep until their account takes requests again."""

    run_id: str
    units: int
    wakes_at: datetime


class ParkedUnits(Protocol):
    """The units of fetching that sleep."""

    def of_account(self, account_id: str) -> Sequence[ParkedRun]:
        """List the runs that have some."""

    def wake(self, *, account_id: str, run_id: str | None = None) -> Sequence[WakeUp]:
        """Let them go now, those of an account or of one of its runs; list what to ring."""


class Accounts(Protocol):
    """Reads accounts."""

    def get(self, environment_id: EnvironmentId, account_id: str) -> IntegratedAccount:
        """Read one account; raise NotFoundError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """The requests that an upstream says remain, until it makes them up again."""

    left: int
    size: int | None
    resets_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountBudget:
    """What is known of an account's limits, and who waits for them."""

    id: str
    """The account's."""
    is_shared: bool
    """All processes share it; else each has its own, and none is seen from here."""
    is_known: bool
    """Requests of the last hour have taught something."""
    is_reachable: bool = True
    """False while the store of shared budgets is away: who waits is known all the same."""
    paused_until: datetime | None = None
    requests_at_once: int | None = None
    requests_per_second: float | None = None
    """None is as many as are answered."""
    refusals_in_a_row: int = 0
    under_way: int = 0
    waiting: int = 0
    """Requests that wait in the processes."""
    quota: Quota | None = None
    parked_runs: Sequence[ParkedRun] = ()


class AccountBudgets:
    """The budgets of accounts."""

    def __init__(
        self, *, accounts: Accounts, desk: BudgetDesk | None, parked: ParkedUnits, dispatcher: Dispatcher
    ) -> None:
        """Without a ``desk`` each process has budgets of its own."""
        self._accounts = accounts
        self._desk = desk
        self._parked = parked
        self._dispatcher = dispatcher

    def show(self, environment_id: EnvironmentId, account_id: str) -> AccountBudget:
        """Show what is known of an account's limits; raise NotFoundError."""
        account = self._accounts.get(environment_id, account_id)
        runs = self._parked.of_account(account.id)
        if self._desk is None:
            return AccountBudget(id=account.id, is_shared=False, is_known=False, parked_runs=runs)
        try:
            read = self._desk.read(account.id)
        except BrokerUnavailableError:
            return AccountBudget(id=account.id, is_shared=True, is_known=False, is_reachable=False, parked_runs=runs)
        budget = budget_state.read_budget(read.current)
        if budget is None:
            return AccountBudget(id=account.id, is_shared=True, is_known=False, parked_runs=runs)
        return _shown(account.id, budget, runs, now=read.now)

    def reset(self, environment_id: EnvironmentId, account_id: str) -> Sequence[str]:
        """Forget what was learned of an account's limits, and return the runs that waited for them and go on now.

        Raises NotFoundError, BrokerUnavailableError, and ConflictError where budgets are not shared.
        """
        account = self._accounts.get(environment_id, account_id)
        if self._desk is None:
            raise ConflictError(_NOT_SHARED)
        self._desk.forget(account.id)
        return self._wake(account.id)

    def let_go_on(self, run: SyncJobRun) -> bool:
        """End the wait of a run for its account's limit: one request tries it; return whether it waited.

        What was learned stays. Where budgets are not shared, daemons that know of the limit wait on.
        """
        if not any(parked.run_id == run.id for parked in self._parked.of_account(run.integrated_account_id)):
            return False
        if self._desk is not None:
            self._open(self._desk, run.integrated_account_id)
        return bool(self._wake(run.integrated_account_id, run_id=run.id))

    def _wake(self, account_id: str, *, run_id: str | None = None) -> Sequence[str]:
        wake_ups = self._parked.wake(account_id=account_id, run_id=run_id)
        self._dispatcher.dispatch(wake_ups)
        return sorted({dispatch.run_id for dispatch in wake_ups})

    def _open(self, desk: BudgetDesk, account_id: str) -> None:
        """End the pause of a budget, whoever else changes it meanwhile."""
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


def _shown(account_id: str, budget: Budget, runs: Sequence[ParkedRun], *, now: float) -> AccountBudget:
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
