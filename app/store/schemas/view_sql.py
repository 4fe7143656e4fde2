"""The SQL of views over records, and how Ferryman knows its own."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from psycopg import sql

from app.engine.schemas.columns import SYSTEM_COLUMNS, Column, ColumnType, ResourceSchema

_SYSTEM: Final[Mapping[str, str]] = MappingProxyType(
    {
        "account_id": "r.integrated_account_id",
        "tenant_id": "a.tenant_id",
        "remote_id": "r.remote_id",
        "sequence": "r.sequence",
        "synced_at": "r.synced_at",
        "deleted_at": "r.deleted_at",
    }
)
_MARK: Final = "Ferryman keeps this"


def write_schema_comment(schema: ResourceSchema) -> str:
    """Return the comment of the Postgres schema of an integration's views: who finds it knows that it is Ferryman's."""
    return f"{_MARK} schema: integration {schema.integration_name} of environment {schema.environment_id}"


def write_view_comment(schema: ResourceSchema) -> str:
    """Return the comment of a resource's view."""
    return (
        f"{_MARK} view: resource {schema.resource} of integration {schema.integration_name}"
        f" of environment {schema.environment_id}"
    )


def list_view_columns(schema: ResourceSchema, shown: Sequence[str]) -> Sequence[Column]:
    """Return the columns of a view behind the system's: those that it shows, in their order, and then new ones."""
    by_name = {column.name: column for column in schema.columns}
    kept = [by_name[name] for name in shown if name in by_name]
    return [*kept, *(column for column in schema.list_shown() if column.name not in set(shown))]


def build_view(schema: ResourceSchema, place: sql.Identifier, columns: Sequence[Column], *, own: str) -> sql.Composed:
    """Return the statement that makes or extends a view; ``own`` is the schema of Ferryman's tables and functions."""
    expressions = [
        *(sql.SQL(f"{_SYSTEM[name]} as {name}") for name in SYSTEM_COLUMNS),
        *(_build_column(column, own) for column in columns),
    ]
    return sql.SQL(
        "create or replace view {place} with (security_barrier = true) as select {columns} from {record} r"
        " join {account} a on a.id = r.integrated_account_id join {integration} i on i.id = a.integration_id"
        " where a.environment_id = {environment} and i.environment_id = {environment}"
        " and i.name = {name} and r.resource = {resource}"
    ).format(
        place=place,
        columns=sql.SQL(", ").join(expressions),
        record=sql.Identifier(own, "record"),
        account=sql.Identifier(own, "integrated_account"),
        integration=sql.Identifier(own, "integration"),
        environment=sql.Literal(schema.environment_id) + sql.SQL("::uuid"),
        name=sql.Literal(schema.integration_name),
        resource=sql.Literal(schema.resource),
    )


def name_function(kind: ColumnType) -> str:
    """Return the name of the function that makes a value one of a type (migration 0022)."""
    return f"ferryman_{kind.split()[0]}"


def _build_column(column: Column, own: str) -> sql.Composed:
    return sql.SQL("{function}(r.data -> {key}, {reads_text}) as {name}").format(
        function=sql.Identifier(own, name_function(column.type)),
        key=sql.Literal(column.key),
        reads_text=sql.Literal(column.is_declared),
        name=sql.Identifier(column.name),
    )
