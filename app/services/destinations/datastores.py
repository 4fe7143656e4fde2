"""Datastores as the API's callers see them: their configs are checked whole, and shown without secrets."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from app.engine.destinations.config_keys import UNSUPPORTED
from app.engine.destinations.datastore_config import check_config
from app.engine.errors import Failure, InvalidInputError
from app.engine.ids import new_id
from app.engine.json_types import JSON, JsonObject
from app.engine.json_values import merge
from app.engine.objects.destinations import Datastore, DatastoreType
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import RowVersion
from app.services.crud import CrudService, Store, raise_for_failures, require
from app.services.destinations.opening import open_for_test
from app.services.destinations.ports import Writers

_ON_DISK: Final = frozenset({DatastoreType.FILESYSTEM, DatastoreType.DUCKDB})
_OBJECT_STORES: Final = frozenset(
    {DatastoreType.S3, DatastoreType.GOOGLE_CLOUD_STORAGE, DatastoreType.AZURE_BLOB, DatastoreType.FILESYSTEM}
)
_UPLOAD: Final = "uploadObject"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatastoreRules:
    """What the operator of this Ferryman lets datastores be."""

    may_lack_credentials: bool = False
    """The machine's own credentials serve where a config has none."""
    has_directory: bool = False
    """There is a directory for files."""


class DatastoreService(CrudService[Datastore]):
    """The datastores of an environment."""

    KIND = "datastore"

    def __init__(
        self,
        datastores: Store[Datastore],
        inspect: Callable[[EnvironmentId, str], Datastore | None],
        wake: Callable[[str], object],
        *,
        writers: Writers,
        rules: DatastoreRules,
    ) -> None:
        """``inspect`` reads one whose config need not decrypt; ``wake`` tries at once what has failed in one."""
        super().__init__(datastores)
        self._inspect = inspect
        self._wake = wake
        self._writers = writers
        self._rules = rules

    def create(self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure] = ()) -> Datastore:
        """Create a datastore, under an id that may be given; raise InvalidInputError with every fault."""
        kind = _read_type(fields.get("type"))
        failures = [*faults, *([kind] if isinstance(kind, Failure) else [])]
        if isinstance(kind, DatastoreType):
            failures += _check(kind, fields.get("config", {}), self._rules)
        raise_for_failures(failures)
        values: JsonObject = {name: fields[name] for name in ("type", "label", "config") if name in fields}
        return self._store.create(environment_id, fields.get("id") or new_id(), {"config": {}, **values})

    def update(
        self,
        environment_id: EnvironmentId,
        id: str,
        changes: JsonObject,
        faults: Sequence[Failure] = (),
        *,
        seen: RowVersion | None = None,
    ) -> Datastore:
        """Change label and config, which is merged key by key and checked as a whole; what failed is tried again."""
        current = self.get(environment_id, id)
        failures = [*faults]
        if changes.get("type", current.type) != current.type:
            failures.append(Failure("type", "can not be changed: create another datastore"))
        values: JsonObject = {name: changes[name] for name in ("label",) if name in changes}
        if "config" in changes:
            values["config"] = merge(current.config, changes["config"])
            failures += _check(current.type, values["config"], self._rules)
        raise_for_failures(failures)
        changed = require(self._store.update(environment_id, id, values, seen=seen), self.KIND, id)
        self._wake(id)
        return changed

    def test(self, environment_id: EnvironmentId, datastore_id: str, method: str | None = None) -> JsonObject:
        """Connect, write something and remove it; return what was found out.

        Raises DestinationError for what the datastore refuses, InvalidInputError for a method that its type lacks.
        """
        datastore = require(self._store.get(environment_id, datastore_id), self.KIND, datastore_id)
        if method is not None and (method != _UPLOAD or datastore.type not in _OBJECT_STORES):
            known = _UPLOAD if datastore.type in _OBJECT_STORES else "none: call /test"
            raise InvalidInputError([Failure("method", f"is none of the type {datastore.type}; expected {known}")])
        with closing(open_for_test(self._writers, datastore)) as writer:
            return writer.test()

    def _read(self, environment_id: EnvironmentId, id: str) -> Datastore | None:
        return self._inspect(environment_id, id)


def _check(kind: DatastoreType, config: JSON, rules: DatastoreRules) -> list[Failure]:
    failures = check_config(kind, config, may_lack_credentials=rules.may_lack_credentials)
    if kind in _ON_DISK and not rules.has_directory:
        message = f"{kind} is not offered here: the operator has set no FERRYMAN_DESTINATION_DIRECTORY"
        failures.append(Failure("type", message))
    return failures


def _read_type(given: JSON) -> DatastoreType | Failure:
    if isinstance(given, str) and given in UNSUPPORTED:
        return Failure("type", f"{given} {UNSUPPORTED[given]}")
    if not isinstance(given, str) or given not in list(DatastoreType):
        return Failure("type", f"expected one of: {', '.join(DatastoreType)}")
    return DatastoreType(given)
