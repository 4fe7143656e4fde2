"""Read the records of a resource for an export: page by page, so that neither side holds more than one page."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Engine, Select, Text, cast, select, text, tuple_

from app.engine.objects.environments import EnvironmentId
from app.engine.schemas.columns import ColumnType
from app.formats.layout import Row
from app.services.reading.ports import ExportedAccount, ExportFilters, LogSpan, RecordFilters
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.db.database import reading
from app.store.reading.records import IS_IN_LOG, narrow_records

_TABLE: Final = tables.record
_FIRST_ROWS: Final = 200
_MOST_ROWS: Final = 5_000
_PAGE_BYTES: Final = 4 * 1024 * 1024
"""About as much JSON as one page brings, judged by the page before."""

_ACCOUNTS = text("""
    select a.id::text, a.tenant_id, i.name
      from integrated_account a join integration i on i.id = a.integration_id
     where a.environment_id = :environment_id
           and (cast(:account_id as uuid) is null or a.id = cast(:account_id as uuid))
           and (cast(:integration_name as text) is null or i.name = :integration_name)
           and exists (select from record r where r.integrated_account_id = a.id and r.resource = :resource)
     order by a.id
""")
# Records whose columns are not learned yet have none in a schema: they are asked for by the name alone.
_RESOURCES = text("""
    select resource from resource_schema
     where environment_id = :environment_id
           and (cast(:integration_name as text) is null or integration_name = :integration_name)
    union select jsonb_object_keys(config -> 'resources') from integration
     where environment_id = :environment_id and jsonb_typeof(config -> 'resources') = 'object'
           and (cast(:integration_name as text) is null or name = :integration_name)
    union select item ->> 'resource' from sync_job cross join lateral jsonb_array_elements(resources) item
     where environment_id = :environment_id and item ? 'resource'
           and (cast(:integration_name as text) is null or integration_name = :integration_name)
    union select :resource where exists (
          select from integrated_account a
            join integration i on i.id = a.integration_id
                 and (cast(:integration_name as text) is null or i.name = :integration_name)
           where a.environment_id = :environment_id
                 and exists (select from record r where r.integrated_account_id = a.id and r.resource = :resource))
    order by 1
""")
_SPAN = text("select trimmed_through, last_sequence from account_log where integrated_account_id = :account_id")
# A number's text shows whether it is an integer: jsonb keeps 1.0 apart from 1, and writes no exponents.
_TYPES = text("""
    select e.key, case jsonb_typeof(e.value)
                  when 'boolean' then 'bool' when 'string' then 'text'
                  when 'object' then 'jsonb' when 'array' then 'jsonb'
                  else case when strpos(e.value::text, '.') > 0 then 'double precision'
                            when length(e.value::text) < 19 then 'bigint'
                            when e.value::text::numeric between -9223372036854775808 and 9223372036854775807
                            then 'bigint' else 'numeric' end
                  end as kind
      from unnest(cast(:account_ids as uuid[])) account (id)
      left join schema_cursor learned on learned.integrated_account_id = account.id
      join record r on r.integrated_account_id = account.id and r.resource = :resource
                       and r.sequence > coalesce(learned.sequence, -1) and r.sequence >= 0
     cross join lateral jsonb_each(case jsonb_typeof(r.data) when 'object' then r.data end) e
     where e.value <> 'null'
     group by 1, 2
""")


@retry_conflicts
class ExportReader:
    """Reads the records of many accounts."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def list_accounts(self, environment_id: EnvironmentId, filters: ExportFilters) -> Sequence[ExportedAccount]:
        """Return the accounts that have records of the resource, tombstones included."""
        values = {
            "environment_id": environment_id,
            "account_id": filters.integrated_account_id,
            "integration_name": filters.integration_name,
            "resource": filters.resource,
        }
        with reading(self._engine) as connection:
            return [ExportedAccount(*row) for row in connection.execute(_ACCOUNTS, values)]

    def list_resources(self, environment_id: EnvironmentId, filters: ExportFilters) -> Sequence[str]:
        """List the resources that integrations, jobs or records have, of one integration or of all; sorted."""
        values = {
            "environment_id": environment_id,
            "integration_name": filters.integration_name,
            "resource": filters.resource,
        }
        with reading(self._engine) as connection:
            return list(connection.execute(_RESOURCES, values).scalars())

    def read_span(self, account_id: str) -> LogSpan:
        """Return how far an account's log reaches."""
        with reading(self._engine) as connection:
            row = connection.execute(_SPAN, {"account_id": account_id}).one_or_none()
        return LogSpan(*row) if row else LogSpan(0, 0)

    def read_types(self, account_ids: Sequence[str], resource: str) -> Mapping[str, set[ColumnType]]:
        """Return which types the values of each key have, in the records that no schema was learned from yet."""
        found: defaultdict[str, set[ColumnType]] = defaultdict(set)
        with reading(self._engine) as connection:
            for key, kind in connection.execute(_TYPES, {"account_ids": [*account_ids], "resource": resource}):
                found[key].add(ColumnType(kind))
        return dict(found)

    def read_page(self, statement: Select[Any], account: ExportedAccount) -> Sequence[Row]:
        """Return the records of one page."""
        with reading(self._engine) as connection:
            return [Row(account.id, account.tenant_id, *row) for row in connection.execute(statement)]

    def read_pages(
        self, account: ExportedAccount, filters: ExportFilters, through: int | None
    ) -> Iterator[Sequence[Row]]:
        """Yield an account's records page by page; those after ``filters.after`` up to the number ``through``."""
        statement = _select_records(account, filters, through)
        by_log = filters.after is not None
        order = (_TABLE.c.sequence, _TABLE.c.remote_id) if by_log else (_TABLE.c.remote_id,)
        statement, rows = statement.order_by(*order), _FIRST_ROWS
        after: tuple[object, ...] | None = None
        while True:
            after_last = statement if after is None else statement.where(tuple_(*order) > after)
            page = self.read_page(after_last.limit(rows), account)
            if page:
                yield page
            if len(page) < rows:
                return
            after = (page[-1].sequence, page[-1].remote_id) if by_log else (page[-1].remote_id,)
            rows = _choose_rows(page)


def _select_records(account: ExportedAccount, filters: ExportFilters, through: int | None) -> Select[Any]:
    columns = (_TABLE.c.remote_id, _TABLE.c.sequence, _TABLE.c.synced_at, _TABLE.c.deleted_at)
    narrowed = RecordFilters(
        integrated_account_id=account.id,
        resource=filters.resource,
        id=filters.id,
        sync_job_run_id=filters.sync_job_run_id,
        times=filters.times,
        with_deleted=filters.with_deleted or filters.after is not None,
    )
    statement = narrow_records(select(*columns, cast(_TABLE.c.data, Text)), narrowed)
    if filters.after is None:
        return statement
    return statement.where(_TABLE.c.sequence > filters.after, _TABLE.c.sequence <= through, IS_IN_LOG)


def _choose_rows(page: Sequence[Row]) -> int:
    """Return how many rows the next page may have, if they are as long as those of this one."""
    mean = sum(len(record.data) for record in page) / len(page)
    return max(1, min(_MOST_ROWS, int(_PAGE_BYTES / max(mean, 1))))
