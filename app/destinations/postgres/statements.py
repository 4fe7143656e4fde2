"""The statements that merge a batch into a table: by COPY into a temporary one, and from there by key and sequence."""

from collections.abc import Sequence
from typing import Final

from psycopg import sql

from app.engine.objects.destinations import Deletes, WriteMode
from app.engine.schemas.columns import Column

_HEAD: Final = ("remote_id", "sequence", "synced_at", "deleted_at")

SEEN: Final = sql.SQL("""
    insert into ferryman._ferryman_cursor as known (destination_id, account_id, epoch, cursor, fence)
    values (%(destination_id)s, %(account_id)s, %(epoch)s, 0, %(fence)s)
        on conflict (destination_id, account_id) do update
       set fence = excluded.fence,
           cursor = case when known.epoch = excluded.epoch then known.cursor else 0 end, epoch = excluded.epoch
     where known.fence <= excluded.fence
 returning cursor
""")
"""Locks an account's cursor for the transaction; returns nothing where a higher fence was here."""
MOVE: Final = sql.SQL("""
    update ferryman._ferryman_cursor set cursor = %(last)s, written_at = now()
     where destination_id = %(destination_id)s and account_id = %(account_id)s
""")
CURSOR: Final = sql.SQL("""
    select cursor from ferryman._ferryman_cursor where destination_id = %s and account_id = %s
""")
FORGET: Final = sql.SQL("delete from ferryman._ferryman_cursor where destination_id = %s and account_id = %s")
TABLES_OF: Final = sql.SQL("""
    select schema_name, table_name from ferryman._ferryman_table
     where environment_id = %(environment_id)s and is_made
           and (%(resource)s::text is null or resource = %(resource)s)
           and to_regclass(format('%%I.%%I', schema_name, table_name)) is not null
""")


def build_incoming(name: sql.Identifier, columns: Sequence[Column]) -> sql.Composed:
    """Build the statement that makes the temporary table of a batch."""
    own = [
        sql.SQL("{} {}").format(sql.Identifier(f"c{number}"), sql.SQL(column.type.value))
        for number, column in enumerate(columns)
    ]
    head = sql.SQL("remote_id text, sequence bigint, synced_at timestamptz, deleted_at timestamptz, is_absent boolean")
    return sql.SQL("create temp table {} ({}) on commit drop").format(name, sql.SQL(", ").join([head, *own]))


def build_merge(
    table: sql.Identifier,
    incoming: sql.Identifier,
    columns: Sequence[Column],
    *,
    mode: WriteMode,
    deletes: Deletes,
    is_rebuild: bool = False,
) -> list[tuple[sql.Composed, sql.SQL]]:
    """Build the statements that bring a batch into a table; their row counts together are the rows that changed.

    Beside each is what has it return the sequences of these.

    What a rebuild brings is right whatever the row's sequence: rows that are the same stay as they are.
    """
    names = [sql.Identifier(name) for name in (*_HEAD, *(column.name for column in columns))]
    values = [*map(sql.Identifier, _HEAD), *(sql.Identifier(f"c{number}") for number in range(len(columns)))]
    parts = {
        "table": table,
        "incoming": incoming,
        "names": sql.SQL(", ").join([sql.SQL("account_id"), sql.SQL("tenant_id"), *names]),
        "values": sql.SQL(", ").join(values),
        "changes": sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(name) for name in names[1:]),
        "newer": _compare_rows(names[1:]) if is_rebuild else sql.SQL("excluded.sequence > t.sequence"),
        "is_due": sql.SQL("t.deleted_at is null" if is_rebuild else "i.sequence > t.sequence"),
        "is_gone": sql.SQL("true" if is_rebuild else "i.sequence > t.sequence"),
    }
    if mode is WriteMode.APPEND:
        return [(_APPEND.format(**parts), _OF_TABLE)]
    if deletes is Deletes.SOFT:
        upsert, rest = _UPSERT.format(**parts, kept=sql.SQL("not is_absent")), _MARK.format(**parts)
    else:
        upsert, rest = _UPSERT.format(**parts, kept=sql.SQL("deleted_at is null")), _DELETE.format(**parts)
    return [(upsert, _OF_TABLE), (rest, _OF_INCOMING)]


def _compare_rows(names: Sequence[sql.Identifier]) -> sql.Composed:
    """Build the condition that a row is another one than it would be."""
    held, wanted = (
        sql.SQL(", ").join(sql.SQL("{}.{}").format(sql.Identifier(side), name) for name in names)
        for side in ("t", "excluded")
    )
    return sql.SQL("row({}) is distinct from row({})").format(held, wanted)


_OF_TABLE: Final = sql.SQL(" returning sequence")
_OF_INCOMING: Final = sql.SQL(" returning i.sequence")
_APPEND: Final = sql.SQL("""
    insert into {table} ({names})
    select %(account_id)s, %(tenant_id)s, {values} from {incoming}
        on conflict (account_id, remote_id, sequence) do nothing
""")
_UPSERT: Final = sql.SQL("""
    insert into {table} as t ({names})
    select %(account_id)s, %(tenant_id)s, {values} from {incoming} where {kept}
        on conflict (account_id, remote_id) do update
       set tenant_id = excluded.tenant_id, {changes}
     where {newer}
""")
_MARK: Final = sql.SQL("""
    update {table} t set deleted_at = coalesce(t.deleted_at, i.deleted_at), sequence = i.sequence
      from {incoming} i
     where i.is_absent and t.account_id = %(account_id)s and t.remote_id = i.remote_id and {is_due}
""")
_DELETE: Final = sql.SQL("""
    delete from {table} t using {incoming} i
     where i.deleted_at is not null and t.account_id = %(account_id)s and t.remote_id = i.remote_id
           and {is_gone}
""")


def build_page_of_held(table: sql.Identifier) -> sql.Composed:
    """Build the query of what is held behind a key, the latest of each key."""
    return sql.SQL("""
        select remote_id, max(sequence), (array_agg(deleted_at is not null order by sequence desc))[1] from {}
         where account_id = %(account_id)s and remote_id > %(after)s
         group by remote_id order by remote_id limit %(limit)s
    """).format(table)


def build_erasure(table: sql.Identifier) -> sql.Composed:
    """Build the statement that removes some rows of an account for good."""
    return sql.SQL("""
        delete from {0} where ctid = any(array(select ctid from {0} where account_id = %(account_id)s limit %(limit)s))
    """).format(table)
