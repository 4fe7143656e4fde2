"""Build what acts on all runs that a search found."""

import time

from app.bootstrap.shared import Shared
from app.engine.objects.runs import SyncJobRun
from app.services.dashboard.bulk_actions import BulkDuty
from app.services.runs.resumption import Resumption
from app.store.dashboard.bulk_actions import BulkActionStore
from app.store.runs.moves import RunMoves
from app.store.runs.outbox import OutboxStore


def build_bulk_duty(shared: Shared) -> BulkDuty:
    """Build the leader's part of bulk actions."""
    resumption = Resumption(
        moves=RunMoves(shared.engine),
        end_wait=_leave_alone,
        remove_message=OutboxStore(shared.engine).remove,
        dispatcher=shared.dispatcher,
        clock=shared.clock,
    )
    return BulkDuty(
        BulkActionStore(shared.engine),
        load_run=shared.runs.load,
        stop=shared.lifecycle.stop,
        resume=lambda run, errors_only: resumption.resume(run, errors_only=errors_only),
        monotonic=time.monotonic,
    )


def _leave_alone(run: SyncJobRun) -> None:
    """Leave a run alone that has begun to wait for its account's limit since it was counted."""
