"""The tables of a DuckDB file: made once, columns only ever added, under names that are recorded beside them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TypeAlias

from app.destinations.duckdb import statements
from app.destinations.duckdb.files import Connection, ask
from app.destinations.duckdb.statements import quote
from app.engine.errors import DestinationError
from app.engine.objects.destinations import WriteMode
from app.engine.schemas.columns import Column
from app.engine.schemas.names import fold_name, make_unique

TablePlace: TypeAlias = tuple[str, str, str]
"""What a table is for: an environment, an integration's name, a resource."""
_FIND: Final = """
    select schema_name, table_name, mode from ferryman._ferryman_table
     where environment_id = ? and integration_name = ? and resource = ?
"""
_FIND_ALL: Final = """
    select schema_name, table_name from ferryman._ferryman_table where $resource is null or resource = $resource
"""
_TAKEN: Final = "select table_name from information_schema.tables where table_schema = ?"
_COLUMNS: Final = "select column_name from information_schema.columns where table_schema = ? and table_name = ?"


def ensure_table(connection: Connection, place: TablePlace, mode: WriteMode, columns: Sequence[Column]) -> None:
    """Make a table, or add the columns that it lacks; raise DestinationError where it is written otherwise."""
    with transaction(connection):
        found = ask(connection, _FIND, list(place))
        schema_name, table_name, known = found[0] if found else _make_table(connection, place, mode)
        if known != mode.value:
            message = f"table {schema_name}.{table_name} is written in the mode '{known}' by another destination"
            raise DestinationError(message, code="other_mode", is_final=True)
        present = {name for (name,) in ask(connection, _COLUMNS, [schema_name, table_name])}
        for column in columns:
            if column.name not in present:
                kind = statements.TYPES[column.type]
                table = quote(schema_name, table_name)
                ask(connection, f"alter table {table} add column {quote(column.name)} {kind}")


def find_table(connection: Connection, place: TablePlace) -> str:
    """Return the quoted name of a table that ``ensure_table`` has made."""
    schema_name, table_name, _ = ask(connection, _FIND, list(place))[0]
    return quote(schema_name, table_name)


def find_tables(connection: Connection, resource: str | None) -> list[str]:
    """Return the quoted names of all tables of a resource, or of all there are."""
    return [quote(*names) for names in ask(connection, _FIND_ALL, {"resource": resource})]


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """Commit at the end of the block, or take all of it back."""
    ask(connection, "begin")
    try:
        yield
    except BaseException:
        ask(connection, "rollback")
        raise
    ask(connection, "commit")


def _make_table(connection: Connection, place: TablePlace, mode: WriteMode) -> tuple[str, str, str]:
    _, integration_name, resource = place
    schema_name = fold_name(integration_name)
    taken = {name for (name,) in ask(connection, _TAKEN, [schema_name])}
    table_name = make_unique(fold_name(resource), taken)
    ask(connection, f"create schema if not exists {quote(schema_name)}")
    ask(connection, statements.build_table(quote(schema_name, table_name), mode))
    ask(
        connection,
        "insert into ferryman._ferryman_table values (?, ?, ?, ?, ?, ?)",
        [*place, schema_name, table_name, mode.value],
    )
    return schema_name, table_name, mode.value
