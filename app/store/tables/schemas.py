"""What is known of the columns of records."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from app.engine.schemas.columns import SchemaPolicy
from app.store.tables.base import environment_column, id_column, metadata, time_type, times, uuid_type

_POLICIES = ", ".join(f"'{policy}'" for policy in SchemaPolicy)

# The schema of one resource, and the view that shows it.
resource_schema = Table(
    "resource_schema",
    metadata,
    id_column(),
    environment_column(),
    Column("integration_name", Text, nullable=False),
    Column("resource", Text, nullable=False),
    Column("columns", JSONB, nullable=False, server_default=text("'[]'")),  # in their order; only ever appended
    Column("policy", Text, nullable=False, server_default=SchemaPolicy.EVOLVE.value),
    Column("left_out", Integer, nullable=False, server_default="0"),  # at least so many keys have no column
    Column("version", Integer, nullable=False, server_default="1"),  # counts up with each change but of times
    Column("view_schema", Text),  # chosen once, kept for ever
    Column("view_name", Text),
    Column("view_version", Integer, nullable=False, server_default="0"),  # the version that the view shows
    Column("view_error", Text),  # why it does not show the last one
    Column("view_at", time_type),  # when that was last tried
    *times(),
    CheckConstraint(f"policy in ({_POLICIES})", name="resource_schema_policy"),
    UniqueConstraint("environment_id", "integration_name", "resource", name="resource_schema_place"),
    UniqueConstraint("view_schema", "view_name", name="resource_schema_view"),
    Index("resource_schema_page", "environment_id", "created_at", "id"),
)

# The history of a schema.
resource_schema_change = Table(
    "resource_schema_change",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("schema_id", uuid_type, ForeignKey("resource_schema.id", ondelete="CASCADE"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("column_name", Text),  # None: of the schema itself
    Column("details", JSONB, nullable=False),
    Column("created_at", time_type, nullable=False, server_default=func.now()),
    Index("resource_schema_change_by_schema", "schema_id", "id"),
)

# How far in an account's log the schemas have been learned.
schema_cursor = Table(
    "schema_cursor",
    metadata,
    Column("integrated_account_id", uuid_type, primary_key=True),
    Column("sequence", BigInteger, nullable=False, server_default="0"),
)

# The role that may read an environment's views.
environment_reader = Table(
    "environment_reader",
    metadata,
    Column("environment_id", uuid_type, ForeignKey("environment.id", ondelete="CASCADE"), primary_key=True),
    Column("role", Text, nullable=False),
    Column("error", Text),  # why there is none
    *times(),
)
