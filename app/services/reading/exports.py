"""Export the records of a resource, of one account or of all, with the columns that their values have."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from app.engine.errors import Failure, InvalidInputError
from app.engine.known_keys.suggestions import suggest
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.environments import EnvironmentId
from app.engine.schemas.columns import Column, ResourceSchema
from app.engine.schemas.learning import learn
from app.formats.layout import Row
from app.services.crud import Reader, missing_reference
from app.services.ports import Clock
from app.services.reading.ports import ExportedAccount, ExportFilters, ExportStore, LogSpan


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What is exported; nothing of it is read before the pages are."""

    columns: Sequence[Column]
    pages: Iterator[Sequence[Row]]
    through: int | None
    """Of one account, the number in its log that the next export goes on after."""
    gap_until: int | None
    """Entries up to this number, which were asked for, may be gone; None without such a gap."""


class ExportService:
    """Exports records with typed columns."""

    def __init__(
        self,
        store: ExportStore,
        read_schema: Callable[[EnvironmentId, str, str], ResourceSchema | None],
        accounts: Reader[IntegratedAccount],
        clock: Clock,
    ) -> None:
        """``read_schema`` returns what was learned of an integration's resource."""
        self._store = store
        self._read_schema = read_schema
        self._accounts = accounts
        self._clock = clock

    def open(self, environment_id: EnvironmentId, filters: ExportFilters) -> Export:
        """Find what to export; raise InvalidInputError for an account or a resource that is not a single one."""
        self._check(environment_id, filters)
        accounts = self._store.list_accounts(environment_id, filters)
        if not accounts:
            self._check_resource(environment_id, filters)
        integration = _find_integration(filters.resource, accounts)
        # Read before any record: what changes later has a greater number, and belongs to the next export.
        span = self._store.read_span(filters.integrated_account_id) if filters.integrated_account_id else None
        return Export(
            columns=self._list_columns(environment_id, integration, filters.resource, accounts),
            pages=self._read(accounts, filters, span),
            through=None if span is None else max(span.last_sequence, filters.after or 0),
            gap_until=_find_gap(span, filters.after),
        )

    def _check(self, environment_id: EnvironmentId, filters: ExportFilters) -> None:
        account_id = filters.integrated_account_id
        if account_id is None and filters.after is not None:
            raise InvalidInputError([Failure("after_seq", "is a number of one account's log: name the account too")])
        if account_id is not None and self._accounts.get(environment_id, account_id) is None:
            raise InvalidInputError([missing_reference("integrated_account_id", "integrated account", account_id)])

    def _check_resource(self, environment_id: EnvironmentId, filters: ExportFilters) -> None:
        """Raise InvalidInputError for a resource that nothing knows; one without records is a file without rows."""
        known = self._store.list_resources(environment_id, filters)
        if filters.resource in known:
            return
        place = f" of integration '{filters.integration_name}'" if filters.integration_name else ""
        message = f"there is no resource '{filters.resource}'{place}: {suggest(filters.resource, known)}"
        raise InvalidInputError([Failure("resource", message)])

    def _list_columns(
        self, environment_id: EnvironmentId, integration: str, resource: str, accounts: Sequence[ExportedAccount]
    ) -> Sequence[Column]:
        """Return the columns of all that is there now, whichever of it is exported, learned from before or not."""
        schema = self._read_schema(environment_id, integration, resource) or ResourceSchema(
            environment_id=environment_id, integration_name=integration, resource=resource
        )
        seen = self._store.read_types([account.id for account in accounts], resource)
        return [*learn(schema, seen, self._clock.now()).list_shown()]

    def _read(
        self, accounts: Sequence[ExportedAccount], filters: ExportFilters, span: LogSpan | None
    ) -> Iterator[Sequence[Row]]:
        through = None if span is None or filters.after is None else span.last_sequence
        for account in accounts:
            yield from self._store.read_pages(account, filters, through)


def _find_integration(resource: str, accounts: Sequence[ExportedAccount]) -> str:
    """Return whose resource it is; columns of several have nothing in common."""
    names = sorted({account.integration_name for account in accounts})
    if len(names) > 1:
        message = f"accounts of several integrations have a resource '{resource}': name one of {', '.join(names)}"
        raise InvalidInputError([Failure("integration_name", message)])
    return names[0] if names else ""


def _find_gap(span: LogSpan | None, after: int | None) -> int | None:
    if span is None or after is None or span.trimmed_through <= after:
        return None
    return span.trimmed_through
