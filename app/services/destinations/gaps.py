"""Fill a gap: what retention or an erasure removed from a log before a destination had read it.

Records that are still there stand behind the gap, at the number of their last change, and are read as always. Those
that are gone can only be found by comparison: whatever the target holds and Postgres does not is deleted there.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Final

from app.services.destinations.learning import BatchLearner
from app.services.destinations.ports import Batch, DestinationWriter, LoggedRecord, LogRange
from app.services.destinations.stores import LoggedRecords
from app.services.destinations.work import Claimed, CursorClaim
from app.services.ports import Clock

KEYS_AT_ONCE: Final = 2000


class GapListing:
    """Compares what a target holds of an account with the records that there are."""

    def __init__(self, log: LoggedRecords, may_write: Callable[[CursorClaim], bool], clock: Clock) -> None:
        """``may_write``: whether the lease is held and the destination not paused."""
        self._log = log
        self._may_write = may_write
        self._clock = clock

    def fill(self, claimed: Claimed, writer: DestinationWriter, learner: BatchLearner, empty: LogRange) -> bool:
        """Have every record deleted at the target that is gone; ``empty`` is a range without records.

        Return False where the destination was paused meanwhile: the rest is found when it goes on.
        Doing it twice changes nothing. A record that comes back meanwhile has a higher number, and is written later.
        """
        through = self._log.last_sequence(claimed.claim.account_id)
        for resource in self._list_resources(claimed, learner):
            # What stands behind the log's end comes from nowhere: a rebuild removes it too.
            most = None if empty.is_rebuild else through
            for number, absent in enumerate(self._find_absent(claimed, writer, resource, through, most)):
                batch = Batch(resource=resource, schema=learner.read(resource), records=absent)
                part = replace(
                    empty,
                    first_sequence=through + 1,
                    last_sequence=through,
                    batches=[batch],
                    listing=f"{resource}-{number}",
                )
                if not self._may_write(claimed.claim):
                    return False
                writer.write(part, fence=claimed.claim.fence)
        return True

    def _list_resources(self, claimed: Claimed, learner: BatchLearner) -> list[str]:
        wanted = claimed.destination.resources
        return [name for name in learner.list_resources() if wanted == "*" or name in wanted]

    def _find_absent(
        self, claimed: Claimed, writer: DestinationWriter, resource: str, through: int, most: int | None
    ) -> Iterator[list[LoggedRecord]]:
        """Yield records that the target holds, up to the number ``most``, and Postgres does not, some at once."""
        account_id, now = claimed.claim.account_id, self._clock.now()
        held = writer.read_held(account_id, claimed.tenant_id, resource)
        while page := list(islice(held, KEYS_AT_ONCE)):
            keys = [one.key for one in page if not one.is_deleted and (most is None or one.sequence <= most)]
            absent = self._log.find_absent(account_id, resource, keys)
            if absent:
                yield [
                    LoggedRecord(
                        remote_id=key, sequence=through, synced_at=now, deleted_at=now, data=None, is_absent=True
                    )
                    for key in sorted(absent)
                ]
