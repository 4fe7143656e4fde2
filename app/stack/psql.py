"""The line that opens psql on a stack's database as the reader of its default environment."""

import shlex

import psycopg

from app.stack.stack import Stack

_READER = """
    select r.role from environment_reader r join environment e on e.id = r.environment_id
     where e.name = 'default' and r.error is null
"""


def build_psql_line(stack: Stack) -> str:
    """Return a command for a shell; without the reader's role where there is none."""
    line = f"psql {shlex.quote(stack.database_url)}"
    role = find_reader(stack)
    return line if role is None else f"PGOPTIONS='-c role={role}' {line}"


def find_reader(stack: Stack) -> str | None:
    """Return the role that reads the default environment's views."""
    with psycopg.connect(stack.database_url) as connection:
        found = connection.execute(_READER).fetchone()
    return None if found is None else str(found[0])
