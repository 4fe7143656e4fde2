"""Statements with names in them, which no parameter can be."""

from psycopg import sql
from sqlalchemy import Connection


def run(connection: Connection, statement: sql.Composed) -> None:
    """Run a statement without parameters within the caller's transaction: a per cent sign is one."""
    text = statement.as_string(connection.connection.driver_connection)
    connection.exec_driver_sql(text, execution_options={"no_parameters": True})
