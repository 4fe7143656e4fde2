"""Build what works on one run in a process of its own, with a wrapper around each exchange with the upstream."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from app.api.resources.services import ApiServices
from app.bootstrap.api import build_api_services
from app.bootstrap.daemon import build_daemon_services
from app.bootstrap.shared import Outside, Shared, choose_budgets
from app.engine.runs.work import WakeUp
from app.services.ports import QueueState
from app.services.units.inline_runner import InlineRunner
from app.settings import Settings
from app.sources.http_source import HttpSource
from app.sources.sending import Attempt
from app.store.runs.own_runs import OwnRunStore


@dataclass(frozen=True, slots=True, kw_only=True)
class InProcess:
    """One run's own API and daemon."""

    api: ApiServices
    inline_runner: InlineRunner
    runs: OwnRunStore
    close: Callable[[], None]


class InlineDispatcher:
    """Sends no message: the process that dispatches does the work."""

    def dispatch(self, wake_ups: Sequence[WakeUp]) -> bool:
        """Return that it was taken."""
        return True

    def dispatch_run(self, run_id: str, *, queue: str) -> bool:
        """Return True, so that no promised message stays in the outbox."""
        return True

    def dispatch_again(self, run_id: str, unit_id: str | None, *, queue: str) -> bool:
        """Return that it was taken."""
        return True

    def publish(self, task: str, args: list[str], *, queue: str) -> bool:
        """Return that it was taken."""
        return True

    def look_at(self, queues: Sequence[str]) -> Mapping[str, QueueState]:
        """Return no states: nothing waits."""
        return {queue: QueueState(is_empty=True) for queue in queues}

    def is_reachable(self) -> bool:
        """Return True: no broker is needed."""
        return True


def build_in_process(
    settings: Settings, around: Callable[[Attempt], Attempt], *, is_offline: bool, group_key: str
) -> InProcess:
    """Build them; offline, no token is renewed and no rate budget is shared."""
    # A cassette's exchanges are found again by their order.
    settings = replace(settings, read_ahead_bytes=0)
    dispatcher = InlineDispatcher()
    shared = Shared(settings, Outside(dispatcher=dispatcher))
    source = (
        HttpSource(settings, around=around)
        if is_offline
        else HttpSource(settings, choose_budgets(settings), shared.build_token_cache(), around)
    )
    outside = Outside(engine=shared.engine, dispatcher=dispatcher, source=source)
    daemon = build_daemon_services(settings, outside)
    runs = OwnRunStore(shared.engine)
    return InProcess(
        api=build_api_services(settings, outside),
        inline_runner=InlineRunner(
            read_status=runs.status,
            list_due_units=runs.find_due_units,
            worker=daemon.worker,
            lifecycle=daemon.lifecycle,
            pause=time.sleep,
            name=group_key,
        ),
        runs=runs,
        close=daemon.close,
    )
