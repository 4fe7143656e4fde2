"""Build what writes destinations, and what has them written."""

import os
import socket
import time
from collections.abc import Callable

from app.bootstrap.shared import Shared
from app.broker import tasks
from app.broker.sender import QueueRefusedError
from app.services.destinations.dispatching import DestinationDispatcher
from app.services.destinations.erasing import DestinationErasing
from app.services.destinations.telling import EVERY_SECONDS, DestinationTelling
from app.services.destinations.work import DueCursor
from app.services.destinations.writing import DestinationWorker, WritingStores, WritingTerms
from app.services.maintenance.duties import Duty
from app.settings import Settings
from app.store.destinations.cursors import CursorStore
from app.store.destinations.due import DueCursors
from app.store.destinations.health import DestinationHealthStore
from app.store.destinations.log import DestinationLog
from app.store.schemas.schemas import SchemaStore


def build_destination_worker(
    shared: Shared, settings: Settings, *, is_stopping: Callable[[], bool]
) -> DestinationWorker:
    """Build what does slices of destinations' work in a daemon."""
    return DestinationWorker(
        WritingStores(
            cursors=CursorStore(shared.engine, shared.cipher),
            due=DueCursors(shared.engine, default_group=settings.default_group),
            log=DestinationLog(shared.engine),
            schemas=SchemaStore(shared.engine),
        ),
        shared.writers,
        WritingTerms(
            owner=f"{socket.gethostname()}:{os.getpid()}",
            slice_seconds=settings.slice_seconds,
            lease_seconds=settings.lease_seconds,
            most_of_destination=settings.destination_accounts,
            most_of_process=settings.destination_slices,
        ),
        clock=shared.clock,
        monotonic=time.monotonic,
        is_stopping=is_stopping,
        dispatch_next=build_destination_dispatcher(shared, settings).dispatch_next,
    )


def build_destination_dispatcher(shared: Shared, settings: Settings) -> DestinationDispatcher:
    """Build what has lagging destinations written."""

    def send(due: DueCursor) -> bool:
        try:
            args = [due.destination_id, due.account_id]
            return shared.dispatcher.publish(tasks.WRITE_DESTINATION, args, queue=due.queue)
        except QueueRefusedError:
            return False

    return DestinationDispatcher(
        DueCursors(shared.engine, default_group=settings.default_group),
        send,
        most_of_destination=settings.destination_accounts,
        monotonic=time.monotonic,
    )


def build_destination_telling(shared: Shared, settings: Settings) -> Duty:
    """Build what tells webhooks how destinations are."""
    health = DestinationHealthStore(shared.engine, shared.clock)
    telling = DestinationTelling(
        health.look,
        health.tell,
        behind_seconds=settings.destination_behind_seconds,
        failing_seconds=settings.destination_failing_seconds,
        monotonic=time.monotonic,
    )
    return Duty(name="telling of destinations", do=telling.tell_changes, every_seconds=EVERY_SECONDS)


def build_destination_erasing(shared: Shared) -> DestinationErasing:
    """Build what erases at destinations."""
    return DestinationErasing(CursorStore(shared.engine, shared.cipher), shared.writers)
