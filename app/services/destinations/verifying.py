"""Compare what a destination holds with the records that there are, key by key: the books, proven at the target.

Both sides are read in pieces, so that memory does not grow with them. What lies beyond the cursor, or is quarantined,
is not expected at the target.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

from app.engine.objects.destinations import Datastore, Deletes, Destination, WriteMode
from app.engine.objects.environments import EnvironmentId
from app.services.crud import Reader, require
from app.services.destinations.opening import open_target
from app.services.destinations.ports import DestinationWriter, HeldKey, Writers
from app.services.destinations.stores import DestinationStore, LoggedRecords, Settled, WrittenAccount

KEYS_AT_ONCE: Final = 2000
LONGEST_SECONDS: Final = 25.0
_MORE_TRIES: Final = 2
_MOST_EXAMPLES: Final = 5
_MOST_DIFFERENCES: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceComparison:
    """One resource of one account."""

    integrated_account_id: str
    resource: str
    expected: int
    equal: int = 0
    missing: int = 0
    outdated: int = 0
    surplus: int = 0
    quarantined: int = 0
    examples: Sequence[str] = ()

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs."""
        return not (self.missing or self.outdated or self.surplus)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """A destination, compared."""

    is_equal: bool
    compared: int
    is_complete: bool
    """False: there was no time for all accounts."""
    differences: Sequence[ResourceComparison] = field(default_factory=tuple)


class DestinationVerification:
    """Compares destinations with the records that there are."""

    def __init__(
        self,
        destinations: DestinationStore,
        datastores: Reader[Datastore],
        held: LoggedRecords,
        writers: Writers,
        monotonic: Callable[[], float],
    ) -> None:
        self._destinations = destinations
        self._datastores = datastores
        self._held = held
        self._writers = writers
        self._monotonic = monotonic

    def verify(self, environment_id: EnvironmentId, destination_id: str) -> Verification:
        """Compare every account's keys and sequences up to its cursor; raise NotFoundError, or DestinationError."""
        destination = require(self._destinations.get(environment_id, destination_id), "destination", destination_id)
        datastore = require(
            self._datastores.get(environment_id, destination.datastore_id), "datastore", destination.datastore_id
        )
        until = self._monotonic() + LONGEST_SECONDS
        found: list[ResourceComparison] = []
        is_complete = True
        with closing(open_target(self._writers, destination, datastore)) as writer:
            for account, resource in self._list_resources(destination):
                if self._monotonic() > until:
                    is_complete = False
                    break
                found.append(self._compare_at_rest(destination, writer, account, resource))
        differences = [one for one in found if not one.is_equal]
        return Verification(
            is_equal=not differences,
            compared=sum(one.expected for one in found),
            is_complete=is_complete,
            differences=differences[:_MOST_DIFFERENCES],
        )

    def _list_resources(self, destination: Destination) -> Iterator[tuple[WrittenAccount, str]]:
        for account in self._held.list_accounts(destination.id):
            for resource in self._held.list_resources(account):
                if destination.resources == "*" or resource in destination.resources:
                    yield account, resource

    def _compare_at_rest(
        self, destination: Destination, writer: DestinationWriter, account: WrittenAccount, resource: str
    ) -> ResourceComparison:
        """Compare, and once more what differs: both sides may have moved meanwhile."""
        found = self._compare(destination, writer, account, resource)
        for _ in range(_MORE_TRIES):
            if found.is_equal:
                break
            found = self._compare(destination, writer, self._held.read_again(account), resource)
        return found

    def _compare(
        self, destination: Destination, writer: DestinationWriter, account: WrittenAccount, resource: str
    ) -> ResourceComparison:
        with_deleted = destination.deletes is Deletes.SOFT or destination.mode is WriteMode.APPEND
        expected = self._held.count(account, resource, with_deleted=with_deleted)
        found = ResourceComparison(
            integrated_account_id=account.account_id,
            resource=resource,
            expected=expected.records,
            quarantined=expected.quarantined,
        )
        held = writer.read_held(account.account_id, account.tenant_id, resource)
        while page := list(islice(held, KEYS_AT_ONCE)):
            settled = self._held.look_up(account, resource, [one.key for one in page])
            found = _add(found, page, settled, with_deleted=with_deleted)
        missing = max(0, found.expected - found.equal - found.outdated)
        return replace(found, missing=missing)


def _add(
    found: ResourceComparison, page: Sequence[HeldKey], settled: Mapping[str, Settled], *, with_deleted: bool
) -> ResourceComparison:
    """Add what some keys of the target come to."""
    equal, outdated, surplus = 0, [], []
    for held in page:
        one, key = settled.get(held.key), held.key
        match one:
            case None if held.is_deleted:
                pass  # Retention has removed what was deleted, and the target has marked it.
            case None:
                surplus.append(key)
            case Settled(is_behind=True) | Settled(is_quarantined=True):
                pass  # The target may hold the state before.
            case Settled(is_deleted=True) if not with_deleted:
                surplus.append(key)
            case _ if one.sequence == held.sequence:
                equal += 1
            case _:
                outdated.append(key)
    return replace(
        found,
        equal=found.equal + equal,
        outdated=found.outdated + len(outdated),
        surplus=found.surplus + len(surplus),
        examples=[*found.examples, *outdated, *surplus][:_MOST_EXAMPLES],
    )
