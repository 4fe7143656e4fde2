"""Unified models and how integrations implement them."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB

from app.store.tables.base import environment_column, id_column, metadata, times, uuid_type

unified_model = Table(
    "unified_model",
    metadata,
    id_column(),
    environment_column(),
    Column("name", Text, nullable=False),
    Column("category", Text),
    Column("description", Text),
    Column("sharing", Text, nullable=False, server_default="deny"),
    Column("resources", JSONB, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),  # optimistic lock
    *times(),
    UniqueConstraint("environment_id", "name", name="unified_model_environment_name"),
)

environment_unified_model = Table(
    "environment_unified_model",
    metadata,
    id_column(),
    environment_column(),
    Column("unified_model_id", uuid_type, ForeignKey("unified_model.id", ondelete="CASCADE"), nullable=False),
    Column("override", JSONB, nullable=False),
    *times(),
    UniqueConstraint("unified_model_id", name="environment_unified_model_model"),
)

unified_model_method = Table(
    "unified_model_method",
    metadata,
    id_column(),
    environment_column(),
    Column("unified_model_id", uuid_type, ForeignKey("unified_model.id", ondelete="CASCADE"), nullable=False),
    # Set on an environment's layer, null on the base that it is laid over.
    Column("environment_unified_model_id", uuid_type, ForeignKey("environment_unified_model.id", ondelete="CASCADE")),
    Column("layer", Text, nullable=False),
    Column("integration_name", Text, nullable=False),
    Column("resource_name", Text, nullable=False),
    Column("method_name", Text, nullable=False),
    Column("config", JSONB, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
    *times(),
    CheckConstraint("layer in ('base', 'environment')", name="unified_model_method_layer"),
    UniqueConstraint(
        "unified_model_id",
        "integration_name",
        "resource_name",
        "method_name",
        "layer",
        name="unified_model_method_place",
    ),
    Index("unified_model_method_page", "environment_id", "layer", "created_at", "id"),
)
