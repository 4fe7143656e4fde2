"""What the values of records are, read off accounts' logs: Postgres looks at them, and none of them leaves it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Engine, text

from app.engine.objects.environments import EnvironmentId
from app.engine.schemas.columns import ColumnType, ResourceSchema
from app.services.runs.conflicts import retry_conflicts
from app.services.schemas.ports import LogStretch, SeenValues, UnlearnedLog
from app.store.db.database import Row, reading

# An account that is deleted has no views: its records are about to be erased.
_UNLEARNED: Final = text("""
    with unlearned as (
        select a.id as account_id, a.environment_id, i.name as integration_name,
               coalesce(c.sequence, 0) as learned_through, l.last_sequence,
               l.last_sequence - coalesce(c.sequence, 0) as backlog
          from account_log l
          join integrated_account a on a.id = l.integrated_account_id
          join integration i on i.id = a.integration_id
          left join schema_cursor c on c.integrated_account_id = l.integrated_account_id
         where l.last_sequence > coalesce(c.sequence, 0) and a.id <> all(cast(:skipped as uuid[])))
    (select * from unlearned order by backlog, account_id limit :limit)
    union
    (select * from unlearned order by backlog desc, account_id limit 1)
    order by backlog, account_id
""")

KIND: Final = """
    case jsonb_typeof(field.value)
         when 'string' then 'text' when 'boolean' then 'bool'
         when 'number' then case when scale(field.value::numeric) > 0 then 'double precision'
                                 when field.value::numeric between -9223372036854775808 and 9223372036854775807
                                 then 'bigint' else 'numeric' end
         else 'jsonb' end
"""
"""What a value, ``field.value``, is learned as: app/engine/schemas/values.py's ``type_of`` in SQL."""
# Numbers are committed in their order: behind the stretch's last one nothing can appear that is missed.
_STRETCH: Final = f"""
    with stretch as materialized (
        select resource, case when jsonb_typeof(data) = 'object' then data else '{{}}' end as data, sequence
          from record
         where integrated_account_id = :account_id and sequence > :after and sequence <= :last and sequence >= 0
         order by sequence limit :limit)
    select resource, key, {KIND} as kind, %s as is_unread, null::bigint as through, null::bigint as rows
      from stretch cross join jsonb_each(data) field %s
     where jsonb_typeof(field.value) <> 'null'
     group by resource, key, kind
    union all
    select null, null, null, null, max(sequence), count(*) from stretch
"""
_SEEN: Final = text(_STRETCH % ("false", ""))
_READS: Final = " ".join(
    f"when '{kind}' then ferryman_{kind.split()[0]}(field.value, true) is null"
    for kind in ("bool", "bigint", "numeric", "double precision", "date", "timestamptz")
)
_SEEN_OF_DECLARED: Final = text(
    _STRETCH
    % (
        f"coalesce(bool_or(case when jsonb_typeof(field.value) = 'string' then case of_kind {_READS} end end), false)",
        """left join unnest(cast(:resources as text[]), cast(:keys as text[]), cast(:kinds as text[]))
                          declared (of_resource, of_key, of_kind)
                       on of_resource = stretch.resource and of_key = field.key""",
    )
)
_READING: Final = frozenset(ColumnType) - {ColumnType.TEXT, ColumnType.JSONB}

# Of an account that was erased meanwhile nothing is kept.
_MOVE_ON: Final = text("""
    insert into schema_cursor (integrated_account_id, sequence)
    select integrated_account_id, cast(:through as bigint) from account_log where integrated_account_id = :account_id
        on conflict (integrated_account_id) do update
       set sequence = greatest(schema_cursor.sequence, excluded.sequence)
""")


@retry_conflicts
class WrittenValues:
    """The logs of all accounts."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def list_unlearned(self, *, skipped: Sequence[str], limit: int) -> Sequence[UnlearnedLog]:
        """List some of them, those with the least to learn first, and also the one with the most."""
        with reading(self._engine) as connection:
            rows = connection.execute(_UNLEARNED, {"skipped": list(skipped), "limit": limit}).mappings().all()
        return [_build_log(row) for row in rows]

    def read(self, log: UnlearnedLog, schemas: Sequence[ResourceSchema], *, limit: int) -> LogStretch:
        """Return what the next records of a log hold; ``schemas`` are what is known of them."""
        declared = _list_declared(schemas)
        values = {
            "account_id": log.account_id,
            "after": log.learned_through,
            "last": log.last_sequence,
            "limit": limit,
            **declared,
        }
        with reading(self._engine) as connection:
            rows = connection.execute(_SEEN_OF_DECLARED if declared else _SEEN, values).mappings().all()
        whole = next(row for row in rows if row["resource"] is None)
        is_last = whole["rows"] < limit
        return LogStretch(
            resources=_gather([row for row in rows if row is not whole]),
            through=log.last_sequence if is_last else whole["through"],
            rows=whole["rows"],
            is_last=is_last,
        )

    def move_on(self, account_id: str, through: int) -> None:
        """Record that an account's log was learned from up to a number; it never goes back."""
        with self._engine.begin() as connection:
            connection.execute(_MOVE_ON, {"account_id": account_id, "through": through})


def _list_declared(schemas: Sequence[ResourceSchema]) -> Mapping[str, Any]:
    columns = [
        (schema.resource, column.key, column.type.value)
        for schema in schemas
        for column in schema.columns
        if column.is_declared and column.type in _READING
    ]
    if not columns:
        return {}
    resources, keys, kinds = zip(*columns, strict=True)
    return {"resources": list(resources), "keys": list(keys), "kinds": list(kinds)}


def _gather(rows: Sequence[Row]) -> Mapping[str, SeenValues]:
    types: defaultdict[str, defaultdict[str, set[ColumnType]]] = defaultdict(lambda: defaultdict(set))
    unread: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        types[row["resource"]][row["key"]].add(ColumnType(row["kind"]))
        if row["is_unread"]:
            unread[row["resource"]].add(row["key"])
    return {
        resource: SeenValues(types=seen, unread=frozenset(unread.get(resource, ()))) for resource, seen in types.items()
    }


def _build_log(row: Row) -> UnlearnedLog:
    return UnlearnedLog(
        account_id=str(row["account_id"]),
        environment_id=EnvironmentId(str(row["environment_id"])),
        integration_name=row["integration_name"],
        learned_through=row["learned_through"],
        last_sequence=row["last_sequence"],
    )
