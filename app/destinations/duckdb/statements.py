"""The statements that merge a batch into a table of DuckDB, from a table of Arrow that is named ``incoming``."""

from collections.abc import Sequence
from typing import Final

from app.engine.objects.destinations import Deletes, WriteMode
from app.engine.schemas.columns import SYSTEM_COLUMNS, ColumnType

TYPES: Final = {
    ColumnType.BOOLEAN: "boolean",
    ColumnType.BIGINT: "bigint",
    ColumnType.NUMERIC: "decimal(38, 9)",
    ColumnType.DOUBLE: "double",
    ColumnType.DATE: "date",
    ColumnType.TIMESTAMPTZ: "timestamptz",
    ColumnType.TEXT: "varchar",
    ColumnType.JSONB: "json",
}
NOTES: Final = (
    "create schema if not exists ferryman",
    """create table if not exists ferryman._ferryman_table (
        environment_id varchar not null, integration_name varchar not null, resource varchar not null,
        schema_name varchar not null, table_name varchar not null, mode varchar not null,
        primary key (environment_id, integration_name, resource), unique (schema_name, table_name))""",
    """create table if not exists ferryman._ferryman_cursor (
        destination_id varchar not null, account_id varchar not null, epoch integer not null, cursor bigint not null,
        fence bigint not null, primary key (destination_id, account_id))""",
)
SEEN: Final = """
    select cursor, epoch, fence from ferryman._ferryman_cursor
     where destination_id = $destination_id and account_id = $account_id
"""
MOVE: Final = """
    insert into ferryman._ferryman_cursor (destination_id, account_id, epoch, cursor, fence)
    values ($destination_id, $account_id, $epoch, $cursor, $fence)
        on conflict (destination_id, account_id) do update
       set epoch = excluded.epoch, cursor = excluded.cursor, fence = excluded.fence
"""
FORGET: Final = (
    "delete from ferryman._ferryman_cursor where destination_id = $destination_id and account_id = $account_id"
)
# DuckDB takes the first of two rows with one key, silently: a batch is reduced to the last one before.
_REDUCED: Final = """
    (select * from incoming qualify row_number() over (partition by account_id, remote_id order by sequence desc) = 1)
"""


def quote(*names: str) -> str:
    """Return a name in quotes."""
    return ".".join('"{}"'.format(name.replace('"', '""')) for name in names)


def build_table(table: str, mode: WriteMode) -> str:
    """Build the statement that makes a table."""
    key = "account_id, remote_id" if mode is WriteMode.MERGE else "account_id, remote_id, sequence"
    return f"""create table {table} (
        account_id varchar not null, tenant_id varchar not null, remote_id varchar not null, sequence bigint not null,
        synced_at timestamptz not null, deleted_at timestamptz, primary key ({key}))"""


def build_merge(
    table: str, columns: Sequence[str], *, mode: WriteMode, deletes: Deletes, is_rebuild: bool = False
) -> list[str]:
    """Build the statements that bring ``incoming`` into a table; what a rebuild brings is right in any case."""
    names = [quote(name) for name in (*SYSTEM_COLUMNS, *columns)]
    listed = ", ".join(names)
    if mode is WriteMode.APPEND:
        return [f"insert into {table} ({listed}) select {listed} from incoming on conflict do nothing"]
    changes = ", ".join(f"{name} = excluded.{name}" for name in names if name not in ('"account_id"', '"remote_id"'))
    is_hard = deletes is Deletes.HARD
    newer = "true" if is_rebuild else "excluded.sequence > t.sequence"
    upsert = f"""
        insert into {table} as t ({listed})
        select {listed} from {_REDUCED} {"where deleted_at is null" if is_hard else ""}
            on conflict (account_id, remote_id) do update set {changes} where {newer}
    """
    removal = f"""
        delete from {table} as t using {_REDUCED} i
         where t.account_id = i.account_id and t.remote_id = i.remote_id and i.deleted_at is not null
               and {"true" if is_rebuild else "i.sequence > t.sequence"}
    """
    return [upsert, removal] if is_hard else [upsert]


def build_changed(table: str, *, mode: WriteMode, deletes: Deletes) -> str:
    """Build the question which rows ``incoming`` will change; the answer is their sequences."""
    same = "t.account_id = i.account_id and t.remote_id = i.remote_id"
    if mode is WriteMode.APPEND:
        return f"select i.sequence from incoming i anti join {table} t on {same} and t.sequence = i.sequence"
    fresh = f"select i.sequence from {_REDUCED} i anti join {table} t on {same} and t.sequence >= i.sequence"
    if deletes is Deletes.SOFT:
        return fresh
    gone = f"select i.sequence from {_REDUCED} i semi join {table} t on {same} and i.sequence > t.sequence"
    return f"{fresh} where i.deleted_at is null union all {gone} where i.deleted_at is not null"


def build_absence(table: str, *, mode: WriteMode, deletes: Deletes) -> str:
    """Build the statement for a record that is gone, of which only the key is known."""
    where = "account_id = $account_id and remote_id = $remote_id and deleted_at is null"
    if mode is WriteMode.MERGE and deletes is Deletes.HARD:
        return f"delete from {table} where account_id = $account_id and remote_id = $remote_id"
    if mode is WriteMode.MERGE:
        return f"update {table} set deleted_at = $deleted_at, sequence = greatest(sequence, $sequence) where {where}"
    return f"""
        insert into {table} (account_id, tenant_id, remote_id, sequence, synced_at, deleted_at)
        select account_id, tenant_id, remote_id, greatest($sequence, max(sequence)), $deleted_at, $deleted_at
          from {table}
         where account_id = $account_id and remote_id = $remote_id
         group by account_id, tenant_id, remote_id having max_by(deleted_at is null, sequence)
            on conflict do nothing
    """
