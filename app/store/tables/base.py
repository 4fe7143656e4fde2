"""What all tables share."""

from sqlalchemy import Column, DateTime, ForeignKey, MetaData, func
from sqlalchemy.dialects.postgresql import UUID

metadata = MetaData()
uuid_type = UUID(as_uuid=False)
time_type = DateTime(timezone=True)


def id_column() -> Column[str]:
    """Make the primary key: a UUID made by the application."""
    return Column("id", uuid_type, primary_key=True)


def times() -> tuple[Column[object], Column[object]]:
    """Make the times of creation and of the last change."""
    return (
        Column("created_at", time_type, nullable=False, server_default=func.now()),
        Column("updated_at", time_type, nullable=False, server_default=func.now()),
    )


def environment_column() -> Column[str]:
    """Make the tenant that a row belongs to."""
    return Column("environment_id", uuid_type, ForeignKey("environment.id"), nullable=False)
