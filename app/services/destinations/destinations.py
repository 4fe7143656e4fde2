"""Destinations as the API's callers see them: which records go where, how far they are, and what went wrong."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from app.engine.destinations.options import check_options
from app.engine.errors import Failure, InvalidInputError
from app.engine.ids import new_id
from app.engine.json_types import JsonObject
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.daemons import GROUP_KEY
from app.engine.objects.destinations import (
    Datastore,
    DatastoreType,
    Destination,
    DestinationCursor,
    DestinationProgress,
    QuarantinedRecord,
    WriteMode,
)
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.jobs import SyncJob
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.services.crud import Reader, missing_reference, raise_for_failures, require
from app.services.destinations.stores import DestinationStore

KIND: Final = "destination"
InspectAccount: TypeAlias = Callable[[EnvironmentId, str], IntegratedAccount | None]
InspectDatastore: TypeAlias = Callable[[EnvironmentId, str], Datastore | None]
_FIXED: Final = ("datastore_id", "integrated_account_id", "sync_job_id", "mode", "layout", "options")
_NO_PROGRESS: Final = DestinationProgress(
    accounts=0, failing=0, rebuilding=0, lag_records=0, lag_seconds=0.0, last_error=None,
    read=0, written=0, unchanged=0, quarantined=0, filtered=0,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownDestination:
    """A destination with how far it is."""

    destination: Destination
    progress: DestinationProgress

    @property
    def status(self) -> str:
        """Whether it is paused, failing, rebuilding, behind or current."""
        if self.destination.paused_at is not None:
            return "paused"
        if self.progress.failing:
            return "failing"
        if self.progress.rebuilding:
            return "rebuilding"
        return "behind" if self.progress.lag_records else "current"


class DestinationService:
    """The destinations of an environment."""

    def __init__(
        self,
        destinations: DestinationStore,
        inspect_datastore: InspectDatastore,
        inspect_account: InspectAccount,
        jobs: Reader[SyncJob],
    ) -> None:
        self._destinations = destinations
        self._inspect_datastore = inspect_datastore
        self._inspect_account = inspect_account
        self._jobs = jobs

    def create(
        self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure] = ()
    ) -> ShownDestination:
        """Create a destination, which begins to write at once; raise InvalidInputError with every fault."""
        references = _list_references(self._inspect_account, self._jobs)
        failures = [*faults, *_check_references(references, environment_id, fields), *_check_fields(fields)]
        failures += _check_datastore(self._inspect_datastore, environment_id, fields)
        raise_for_failures(failures)
        return self._show(self._destinations.create(environment_id, new_id(), fields))

    def get(self, environment_id: EnvironmentId, destination_id: str) -> ShownDestination:
        """Read one destination; raise NotFoundError."""
        return self._show(self._get(environment_id, destination_id))

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[ShownDestination]:
        """Read a page of destinations."""
        page = self._destinations.list(environment_id, filters)
        progress = self._destinations.read_progress([one.id for one in page.result])
        shown = [ShownDestination(destination=one, progress=progress.get(one.id, _NO_PROGRESS)) for one in page.result]
        return Page(result=shown, next_cursor=page.next_cursor, limit=page.limit)

    def list_cursors(
        self, environment_id: EnvironmentId, destination_id: str, *, cursor: str | None, limit: int
    ) -> Page[DestinationCursor]:
        """Read a page of how far each account is at a destination; raise NotFoundError."""
        self._get(environment_id, destination_id)
        return self._destinations.list_cursors(destination_id, cursor=cursor, limit=limit)

    def list_quarantined(
        self, environment_id: EnvironmentId, destination_id: str, *, cursor: str | None, limit: int
    ) -> Page[QuarantinedRecord]:
        """Read a page of the records that were left out, with the reasons; raise NotFoundError."""
        self._get(environment_id, destination_id)
        return self._destinations.list_quarantined(destination_id, cursor=cursor, limit=limit)

    def update(
        self,
        environment_id: EnvironmentId,
        destination_id: str,
        changes: JsonObject,
        faults: Sequence[Failure] = (),
        *,
        seen: RowVersion | None = None,
    ) -> ShownDestination:
        """Change label, resources, deletes or daemon group; what a table is made of can not be changed."""
        current = self._get(environment_id, destination_id)
        failures = [*faults, *_check_fields(changes)]
        failures += [
            Failure(name, "can not be changed: create another destination")
            for name in _FIXED
            if changes.get(name, getattr(current, name)) != getattr(current, name)
        ]
        raise_for_failures(failures)
        values = {name: value for name, value in changes.items() if name not in _FIXED}
        changed = self._destinations.update(environment_id, destination_id, values, seen=seen)
        return self._show(require(changed, KIND, destination_id))

    def delete(self, environment_id: EnvironmentId, destination_id: str, *, seen: RowVersion | None = None) -> str:
        """Remove a destination; what it has written stays where it is. Raises NotFoundError."""
        self._get(environment_id, destination_id)
        self._destinations.delete(environment_id, destination_id, seen=seen)
        return destination_id

    def pause(self, environment_id: EnvironmentId, destination_id: str) -> ShownDestination:
        """Have nothing more written; the cursors stay."""
        return self._set_paused(environment_id, destination_id, is_paused=True)

    def resume(self, environment_id: EnvironmentId, destination_id: str) -> ShownDestination:
        """Go on, and try at once what failed."""
        return self._set_paused(environment_id, destination_id, is_paused=False)

    def backfill(
        self, environment_id: EnvironmentId, destination_id: str, *, from_sequence: int, quarantined: bool = False
    ) -> ShownDestination:
        """Have everything from a number on written again, of all accounts, without asking an upstream.

        ``quarantined``: from the first record on that was left out, of those accounts alone that have some. Raises
        InvalidInputError where both are asked for.
        """
        if quarantined and from_sequence:
            raise InvalidInputError([Failure("quarantined", "expected this or 'from_sequence', not both")])
        cursor = None if quarantined else max(0, from_sequence - 1)
        again = self._destinations.begin_anew(environment_id, destination_id, cursor=cursor)
        return self._show(require(again, KIND, destination_id))

    def rebuild(self, environment_id: EnvironmentId, destination_id: str) -> ShownDestination:
        """Have everything made as it is in Postgres, and what is surplus removed; raise InvalidInputError."""
        if self._get(environment_id, destination_id).mode is WriteMode.APPEND:
            message = "is append: its earlier states are nowhere else; a backfill adds what is missing"
            raise InvalidInputError([Failure("mode", message)])
        again = self._destinations.begin_anew(environment_id, destination_id, cursor=0, is_rebuild=True)
        return self._show(require(again, KIND, destination_id))

    def _get(self, environment_id: EnvironmentId, destination_id: str) -> Destination:
        return require(self._destinations.get(environment_id, destination_id), KIND, destination_id)

    def _set_paused(self, environment_id: EnvironmentId, destination_id: str, *, is_paused: bool) -> ShownDestination:
        changed = self._destinations.pause(environment_id, destination_id, is_paused=is_paused)
        return self._show(require(changed, KIND, destination_id))

    def _show(self, destination: Destination) -> ShownDestination:
        progress = self._destinations.read_progress([destination.id])
        return ShownDestination(destination=destination, progress=progress.get(destination.id, _NO_PROGRESS))


_Reference: TypeAlias = tuple[str, str, Callable[[EnvironmentId, str], object]]


def _list_references(inspect_account: InspectAccount, jobs: Reader[SyncJob]) -> Sequence[_Reference]:
    return (
        ("integrated_account_id", "integrated account", inspect_account),
        ("sync_job_id", "sync job", jobs.get),
    )


def _check_references(
    references: Sequence[_Reference], environment_id: EnvironmentId, fields: JsonObject
) -> list[Failure]:
    failures = [
        missing_reference(name, kind, id)
        for name, kind, find in references
        if (id := fields.get(name)) and find(environment_id, id) is None
    ]
    if fields.get("sync_job_id") and fields.get("integrated_account_id"):
        failures.append(Failure("sync_job_id", "expected this or integrated_account_id, or neither"))
    return failures


def _check_datastore(inspect: InspectDatastore, environment_id: EnvironmentId, fields: JsonObject) -> list[Failure]:
    if not (datastore_id := fields.get("datastore_id")):
        return []
    datastore = inspect(environment_id, datastore_id)
    if datastore is None:
        return [missing_reference("datastore_id", "datastore", datastore_id)]
    return [*check_options(datastore.type, fields.get("options", {})), *_check_writer(datastore.type, fields)]


def _check_writer(kind: DatastoreType, fields: JsonObject) -> list[Failure]:
    if kind is DatastoreType.DUCKDB and not fields.get("daemon_group_key"):
        return [Failure("daemon_group_key", "is required: a file of DuckDB has one writing process")]
    return []


def _check_fields(fields: JsonObject) -> list[Failure]:
    failures = []
    resources = fields.get("resources", "*")
    if resources != "*" and not _is_list_of_names(resources):
        failures.append(Failure("resources", "expected '*' or a list of one or more names of resources"))
    group = fields.get("daemon_group_key")
    if group is not None and not GROUP_KEY.fullmatch(group):
        failures.append(Failure("daemon_group_key", "expected the key of a daemon group"))
    return failures


def _is_list_of_names(resources: object) -> bool:
    return isinstance(resources, list) and bool(resources) and all(isinstance(one, str) and one for one in resources)
