"""Delete accounts, one or many: they are hidden at once, erased later or at once, and can be restored until then."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.engine.errors import ConflictError, Failure, InvalidInputError, NotFoundError
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, RowVersion
from app.services.accounts.ports import KIND, AccountStore
from app.services.crud import missing_reference, raise_for_failures

MOST_AT_ONCE: Final = 1000
_WAYS: Final = ("ids", "tenant_id", "query")
_COLUMNS: Final[Mapping[str, str]] = {
    "tenant_id": "tenant_id",
    "status": "status",
    "integration_name": "integration_name",
    "integration.name": "integration_name",
}


class AccountDeletion:
    """Deletes accounts, and restores them."""

    def __init__(
        self,
        accounts: AccountStore,
        *,
        restore: Callable[[EnvironmentId, str], bool | None],
        hasten: Callable[[EnvironmentId, str], bool],
        erase_after_seconds: float,
    ) -> None:
        """``restore`` restores a deleted account; None when there is none, False when its integration was deleted.

        ``hasten`` has a deleted account erased at once, and returns whether there is one.
        """
        self._accounts = accounts
        self._restore = restore
        self._hasten = hasten
        self._erase_after_seconds = erase_after_seconds

    def delete(
        self,
        environment_id: EnvironmentId,
        account_id: str,
        *,
        erase_at_once: bool = False,
        seen: RowVersion | None = None,
    ) -> str:
        """Remove an account, which is erased with all its data later or at once; raise NotFoundError."""
        seconds = self._seconds(erase_at_once=erase_at_once)
        is_done = self._accounts.delete(environment_id, account_id, erase_after_seconds=seconds, seen=seen)
        # An account that was deleted before is erased at once too.
        if not (is_done or (erase_at_once and self._hasten(environment_id, account_id))):
            raise NotFoundError(KIND, account_id)
        return account_id

    def delete_all(
        self, environment_id: EnvironmentId, account_ids: Sequence[str], *, erase_at_once: bool = False
    ) -> Sequence[str]:
        """Remove accounts as ``delete`` does; raise InvalidInputError, and remove none, when one does not exist."""
        seconds = self._seconds(erase_at_once=erase_at_once)
        missing = frozenset(self._accounts.delete_all(environment_id, account_ids, erase_after_seconds=seconds))
        raise_for_failures(
            [missing_reference(f"ids.{at}", KIND, id) for at, id in enumerate(account_ids) if id in missing]
        )
        return account_ids

    def delete_present(
        self, environment_id: EnvironmentId, account_ids: Sequence[str], *, erase_at_once: bool = False
    ) -> Sequence[str]:
        """Remove those accounts that exist; return their ids."""
        seconds, left = self._seconds(erase_at_once=erase_at_once), list(account_ids)
        while left:
            missing = frozenset(self._accounts.delete_all(environment_id, left, erase_after_seconds=seconds))
            if not missing:
                break
            left = [id for id in left if id not in missing]
        return left

    def restore(self, environment_id: EnvironmentId, account_id: str) -> None:
        """Restore an account that is not erased yet; raise InvalidInputError, or ConflictError with the reason."""
        is_back = self._restore(environment_id, account_id)
        if is_back is None:
            message = f"no deleted account '{account_id}' waits to be erased"
            raise InvalidInputError([Failure("id", message, missing_reference=True)])
        if not is_back:
            raise ConflictError(f"the integration of account '{account_id}' was deleted meanwhile")

    def _seconds(self, *, erase_at_once: bool) -> float:
        return 0.0 if erase_at_once else self._erase_after_seconds


@dataclass(frozen=True, slots=True)
class BulkDeleted:
    """The result of a bulk deletion."""

    ids: Sequence[str]
    matched_count: int


class BulkDeletion:
    """Deletes the accounts that a request names or finds."""

    def __init__(self, accounts: AccountStore, deletion: AccountDeletion) -> None:
        self._accounts = accounts
        self._deletion = deletion

    def delete(self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure] = ()) -> BulkDeleted:
        """Delete the accounts named or found; raise InvalidInputError with ``faults`` and every other one."""
        faulty = {fault.path.partition(".")[0] for fault in faults}
        ways = [way for way in _WAYS if way in fields or way in faulty]
        failures = [*faults]
        if len(ways) != 1:
            failures.append(Failure("", f"expected one of {', '.join(_WAYS)}, found {' and '.join(ways) or 'none'}"))
        wanted = _filters(fields, failures)
        raise_for_failures(failures)
        if wanted is not None:
            return self._delete_found(environment_id, wanted, fields)
        ids: Sequence[str] = fields["ids"]
        if fields.get("dry_run"):
            return BulkDeleted([], len(self._accounts.list(environment_id, _filter_ids(ids)).result))
        self._deletion.delete_all(environment_id, ids, erase_at_once=fields.get("erase", False))
        distinct = list(dict.fromkeys(ids))
        return BulkDeleted(distinct, len(distinct))

    def _delete_found(self, environment_id: EnvironmentId, wanted: ListFilters, fields: JsonObject) -> BulkDeleted:
        """Delete what filters find; accounts that others delete meanwhile are left out."""
        found = [account.id for account in self._accounts.list(environment_id, wanted).result]
        if fields.get("dry_run") or not found:
            return BulkDeleted([], len(found))
        deleted = self._deletion.delete_present(environment_id, found, erase_at_once=fields.get("erase", False))
        return BulkDeleted(deleted, len(found))


def _filter_ids(ids: Sequence[str]) -> ListFilters:
    return ListFilters(among=[("id", ids)], limit=MOST_AT_ONCE)


def _filters(fields: JsonObject, failures: list[Failure]) -> ListFilters | None:
    """Return the filters of a tenant or of a query; an empty query would find every account and is a fault."""
    if "tenant_id" in fields:
        return ListFilters(equal={"tenant_id": fields["tenant_id"]}, limit=MOST_AT_ONCE)
    if "query" not in fields:
        return None
    query: JsonObject = fields["query"]
    if not query:
        failures.append(Failure("query", f"is empty, which would find every account: expected {', '.join(_COLUMNS)}"))
    among: list[tuple[str, Sequence[object]]] = []
    unlike: list[tuple[str, object]] = []
    for name, value in query.items():
        if name not in _COLUMNS:
            failures.append(Failure(f"query.{name}", f"is no filter here: expected {', '.join(_COLUMNS)}"))
            continue
        _read(f"query.{name}", _COLUMNS[name], value, among, unlike, failures)
    return ListFilters(among=among, unlike=unlike, limit=MOST_AT_ONCE)


def _read(
    path: str,
    column: str,
    value: JSON,
    among: list[tuple[str, Sequence[object]]],
    unlike: list[tuple[str, object]],
    failures: list[Failure],
) -> None:
    """Read ``text``, ``{eq: text}``, ``{ne: text}`` or ``{in: [text]}``."""
    match value:
        case str() if value:
            among.append((column, [value]))
        case {"eq": str() as text, **rest} if text and not rest:
            among.append((column, [text]))
        case {"ne": str() as text, **rest} if text and not rest:
            unlike.append((column, text))
        case {"in": [*texts], **rest} if texts and not rest and all(isinstance(text, str) and text for text in texts):
            among.append((column, texts))
        case _:
            failures.append(Failure(path, "expected a text, {eq: text}, {ne: text} or {in: [text, ...]}"))
