"""Create, read, update and delete: what services share whose objects belong to environments."""

from collections.abc import Callable, Sequence
from typing import ClassVar, Generic, Protocol, TypeAlias, TypeVar

from app.engine.errors import Failure, InvalidInputError, NotFoundError
from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.integrations import Integration
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.engine.objects.unified import UnifiedModel, UnifiedModelMethod

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
FindIntegration: TypeAlias = Callable[[EnvironmentId, str], Integration | None]
"""Finds an integration by its name; None when the environment has none with it."""
V = TypeVar("V", bound=Integration | UnifiedModel | UnifiedModelMethod)
"""An object that counts its versions."""


class Reader(Protocol[T_co]):
    """Reads objects by id."""

    def get(self, environment_id: EnvironmentId, id: str, /) -> T_co | None:
        """Return an object; None when the environment has none with this id."""


class Store(Reader[T], Protocol[T]):
    """Stores the objects of one kind."""

    def create(self, environment_id: EnvironmentId, id: str, values: JsonObject, /) -> T:
        """Write a new object; raise InvalidInputError when its name or place is taken."""

    def list(self, environment_id: EnvironmentId, filters: ListFilters, /) -> Page[T]:
        """Return a page of objects."""

    def delete(self, environment_id: EnvironmentId, id: str, /, *, seen: RowVersion | None = None) -> bool:
        """Remove an object; return whether it was there. Raises PreconditionFailedError as ``update`` does."""

    def update(
        self, environment_id: EnvironmentId, id: str, values: JsonObject, /, *, seen: RowVersion | None = None
    ) -> T | None:
        """Change some fields; None when the object is absent, PreconditionFailedError when it is not as ``seen``."""


class VersionedStore(Store[V], Protocol[V]):
    """Stores objects that are only changed by those who know the present version."""

    def update(
        self,
        environment_id: EnvironmentId,
        id: str,
        values: JsonObject,
        /,
        *,
        seen: RowVersion | None = None,
        version: int | None = None,
    ) -> V | None:
        """Change an object that is still at ``version``, and increment that; None when it is not, or absent."""


class CrudService(Generic[T]):
    """The objects of one kind, of which the last change wins; a service of the kind adds how they are created."""

    KIND: ClassVar[str]
    """What messages call such an object."""

    def __init__(self, store: Store[T]) -> None:
        self._store = store

    def get(self, environment_id: EnvironmentId, id: str) -> T:
        """Return an object; raise NotFoundError."""
        return require(self._read(environment_id, id), self.KIND, id)

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[T]:
        """Return a page of objects."""
        return self._store.list(environment_id, filters)

    def update(
        self,
        environment_id: EnvironmentId,
        id: str,
        changes: JsonObject,
        faults: Sequence[Failure] = (),
        *,
        seen: RowVersion | None = None,
    ) -> T:
        """Change some fields; raise NotFoundError, or InvalidInputError with ``faults`` and every other one.

        ``faults`` are those that the caller found. Raises PreconditionFailedError when the object is not as ``seen``.
        """
        values = self._check_changes(environment_id, self.get(environment_id, id), changes, faults)
        return require(self._store.update(environment_id, id, values, seen=seen), self.KIND, id)

    def delete(self, environment_id: EnvironmentId, id: str, *, seen: RowVersion | None = None) -> str:
        """Remove an object and return its id; raise NotFoundError, or what the store refuses it for."""
        if not self._store.delete(environment_id, id, seen=seen):
            raise NotFoundError(self.KIND, id)
        return id

    def _read(self, environment_id: EnvironmentId, id: str) -> T | None:
        return self._store.get(environment_id, id)

    def _check_changes(
        self, environment_id: EnvironmentId, current: T, changes: JsonObject, faults: Sequence[Failure]
    ) -> JsonObject:
        """Return the values to write; raise InvalidInputError with ``faults`` and every other one."""
        raise_for_failures(faults)
        return changes


class VersionedService(CrudService[V]):
    """Changes objects too, for those who know the present version."""

    _store: VersionedStore[V]

    def __init__(self, store: VersionedStore[V]) -> None:
        super().__init__(store)

    def update(
        self,
        environment_id: EnvironmentId,
        id: str,
        changes: JsonObject,
        faults: Sequence[Failure] = (),
        *,
        seen: RowVersion | None = None,
        version: int | None = None,
    ) -> V:
        """Change some fields of an object that is at ``version``, or at any; raise as ``CrudService.update`` does."""
        current = self.get(environment_id, id)
        outdated = [] if version in (None, current.version) else [_version_failure(current.version)]
        values = self._check_changes(environment_id, current, changes, [*faults, *outdated])
        updated = self._store.update(environment_id, id, values, version=current.version, seen=seen)
        if updated is None:
            raise InvalidInputError([_version_failure(self.get(environment_id, id).version)])
        return updated


def _version_failure(present: int) -> Failure:
    return Failure("version", f"is {present} by now: read it again before changing it")


def require(found: T | None, kind: str, id: str) -> T:
    """Return what was found; raise NotFoundError when that is nothing."""
    if found is None:
        raise NotFoundError(kind, id)
    return found


def missing_reference(path: str, kind: str, id: str) -> Failure:
    """Return the fault of a field that names an object which does not exist."""
    return Failure(path, f"{kind} '{id}' does not exist", missing_reference=True)


def raise_for_failures(failures: Sequence[Failure]) -> None:
    """Raise InvalidInputError when there are failures."""
    if failures:
        raise InvalidInputError(failures)
