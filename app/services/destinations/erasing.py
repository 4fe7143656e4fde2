"""Erase an account, or one of its resources, wherever it has landed, before Postgres forgets where that was."""

from contextlib import closing
from typing import Final

from app.engine.errors import DestinationError
from app.engine.objects.accounts import Erasure
from app.services.destinations.opening import open_target
from app.services.destinations.ports import Writers
from app.services.destinations.stores import Cursors
from app.services.destinations.work import ErasedPlace

_AT_ONCE: Final = 20
_LEASE_SECONDS: Final = 600.0
"""Nobody keeps the lease meanwhile; a target that takes longer is begun again, which does no harm."""


class DestinationErasing:
    """Erases at destinations. It may die anywhere: what is done is recorded, and doing it twice changes nothing."""

    def __init__(self, cursors: Cursors, writers: Writers) -> None:
        self._cursors = cursors
        self._writers = writers

    def erase(self, erasure: Erasure) -> None:
        """Erase what some destinations hold; raise DestinationError while one can not, or is being written."""
        for place in self._cursors.list_erased(erasure, limit=_AT_ONCE):
            self._erase_at(place, erasure)

    def _erase_at(self, place: ErasedPlace, erasure: Erasure) -> None:
        fence = self._cursors.take_erased(place, erasure, lease_seconds=_LEASE_SECONDS)
        if fence is None:
            raise DestinationError(f"destination '{place.destination.id}' is being written", code="busy")
        with closing(open_target(self._writers, place.destination, place.datastore)) as writer:
            count = writer.erase(erasure.integrated_account_id, place.tenant_id, erasure.resource)
        self._cursors.note_erased(place, erasure, fence=fence, count=count)
