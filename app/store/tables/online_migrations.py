"""Changes of rows that take too long for a migration's transaction, and so go on beside the work."""

from sqlalchemy import BigInteger, Column, Table, Text, func

from app.store.tables.base import metadata, time_type, uuid_type

online_migration = Table(
    "online_migration",
    metadata,
    Column("name", Text, primary_key=True),
    Column("created_at", time_type, nullable=False, server_default=func.now()),
    Column("place", uuid_type),  # the account that it has come to
    Column("rows", BigInteger, nullable=False, server_default="0"),  # that it has changed
    Column("finished_at", time_type),
)
