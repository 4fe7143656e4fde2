"""Delete many accounts at once: some ids, those of a tenant, or those that filters find."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from app.engine.errors import Failure, InvalidInputError
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page
from app.services.accounts.deletion import AccountDeletion

MOST_AT_ONCE: Final = 1000
_WAYS: Final = ("ids", "tenant_id", "query")
_COLUMNS: Final[Mapping[str, str]] = {
    "tenant_id": "tenant_id",
    "status": "status",
    "integration_name": "integration_name",
    "integration.name": "integration_name",
}


class AccountList(Protocol):
    """Finds accounts."""

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[IntegratedAccount]:
        """Read a page of accounts."""


@dataclass(frozen=True, slots=True)
class BulkDeleted:
    """What a deletion of many came to."""

    ids: Sequence[str]
    matched_count: int


class BulkDeletion:
    """Deletes accounts, as many as a request may name or find."""

    def __init__(self, accounts: AccountList, deletion: AccountDeletion) -> None:
        self._accounts = accounts
        self._deletion = deletion

    def delete(self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure] = ()) -> BulkDeleted:
        """Delete what is named or found; raise InvalidInputError with ``faults`` and every other one."""
        told = {fault.path.partition(".")[0] for fault in faults}
        ways = [way for way in _WAYS if way in fields or way in told]
        failures = [*faults]
        if len(ways) != 1:
            failures.append(Failure("", f"expected one of {', '.join(_WAYS)}, found {' and '.join(ways) or 'none'}"))
        wanted = _filters(fields, failures)
        if failures:
            raise InvalidInputError(failures)
        if wanted is not None:
            return self._delete_found(environment_id, wanted, fields)
        ids: Sequence[str] = fields["ids"]
        if fields.get("dry_run"):
            return BulkDeleted([], len(self._accounts.list(environment_id, _among(ids)).result))
        self._deletion.delete_all(environment_id, ids, erase_at_once=fields.get("erase", False))
        distinct = list(dict.fromkeys(ids))
        return BulkDeleted(distinct, len(distinct))

    def _delete_found(self, environment_id: EnvironmentId, wanted: ListFilters, fields: JsonObject) -> BulkDeleted:
        """Delete what filters find; what is gone before it is deleted is nothing to tell of."""
        found = [account.id for account in self._accounts.list(environment_id, wanted).result]
        if fields.get("dry_run") or not found:
            return BulkDeleted([], len(found))
        deleted = self._deletion.delete_present(environment_id, found, erase_at_once=fields.get("erase", False))
        return BulkDeleted(deleted, len(found))


def _among(ids: Sequence[str]) -> ListFilters:
    return ListFilters(among=[("id", ids)], limit=MOST_AT_ONCE)


def _filters(fields: JsonObject, failures: list[Failure]) -> ListFilters | None:
    """Make the filters of a tenant, or of a query that says something: an empty one would find every account."""
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
