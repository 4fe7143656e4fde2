"""What users describe: environments, tokens, integrations, accounts, jobs and webhooks."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from app.engine.status import AccountStatus
from app.store.tables.base import environment_column, id_column, metadata, time_type, times, uuid_type
from app.store.tables.statuses import known_statuses

environment = Table("environment", metadata, id_column(), Column("name", Text, nullable=False, unique=True), *times())

api_token = Table(
    "api_token",
    metadata,
    id_column(),
    environment_column(),
    Column("name", Text, nullable=False),
    Column("token_hash", LargeBinary, nullable=False, unique=True),  # SHA-256 of the token's text
    Column("role", Text, nullable=False, server_default="admin"),
    Column("created_by", uuid_type),  # the token that made it; None: the command line
    *times(),
    Column("last_used_at", time_type),
    Column("expires_at", time_type),
    Column("revoked_at", time_type),
    CheckConstraint("role in ('read', 'run', 'admin')", name="api_token_role"),
)

encryption_key = Table(
    "encryption_key",
    metadata,
    Column("id", Text, primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),  # the data key, encrypted by a key that is not in the database
    Column("is_current", Boolean, unique=True),  # true of the one that seals, else null
    Column("created_at", time_type, nullable=False, server_default=func.now()),
    Column("retired_at", time_type),
)

# Formats of sealed values that a rotation has replaced everywhere; none of them is opened any more.
refused_seal = Table(
    "refused_seal",
    metadata,
    Column("format", Text, primary_key=True),
    Column("created_at", time_type, nullable=False, server_default=func.now()),
)

integration = Table(
    "integration",
    metadata,
    id_column(),
    environment_column(),
    Column("name", Text, nullable=False),
    Column("category", Text),
    Column("is_beta", Boolean, nullable=False, server_default=text("false")),
    Column("sharing", Text, nullable=False, server_default="deny"),
    Column("config", JSONB, nullable=False),
    Column("origins", ARRAY(Text)),  # the hosts that the config's own secrets were entered for; None: not noted
    Column("version", Integer, nullable=False, server_default="1"),  # optimistic lock
    *times(),
    UniqueConstraint("environment_id", "name", name="integration_environment_name"),
)

environment_integration = Table(
    "environment_integration",
    metadata,
    id_column(),
    environment_column(),
    Column("integration_id", uuid_type, ForeignKey("integration.id", ondelete="CASCADE"), nullable=False),
    Column("override", JSONB, nullable=False),  # laid over the integration's config; secrets within are sealed
    Column("origins", ARRAY(Text)),  # the hosts that the override's own secrets were entered for
    Column("show_in_catalog", Boolean, nullable=False, server_default=text("true")),
    *times(),
    UniqueConstraint("integration_id", name="environment_integration_integration"),
)

integrated_account = Table(
    "integrated_account",
    metadata,
    id_column(),
    environment_column(),
    Column("integration_id", uuid_type, ForeignKey("integration.id"), nullable=False),
    Column("tenant_id", Text, nullable=False),
    Column("authentication_method", Text, nullable=False),
    Column("status", Text, nullable=False, server_default=AccountStatus.ACTIVE.value),
    Column("last_error", Text),  # why it needs_reauth
    Column("refused_call", Text),  # the call that was answered 401, as 'resource.method'; None: none was made
    Column("refused_at", time_type),  # when that was last noted
    Column("last_forbidden_error", JSONB(none_as_null=True)),  # the last call that was answered 403
    Column("context_encrypted", LargeBinary, nullable=False),
    Column("origins", ARRAY(Text)),  # those that the context's secrets were entered for; None: noted at the next use
    Column("plain_paths", JSONB(none_as_null=True)),  # of the context, what was entered as no secret; None: not known
    Column("unified_model_override", JSONB, nullable=False, server_default=text("'{}'")),
    Column("integration_override", JSONB, nullable=False, server_default=text("'{}'")),  # secrets within are sealed
    Column("override_origins", ARRAY(Text)),  # the hosts that these were entered for
    *times(),
    known_statuses(AccountStatus, "integrated_account_status"),
    Index("integrated_account_page", "environment_id", "created_at", "id"),
    # Those of whom people are told: a sliver of the table.
    Index(
        "integrated_account_to_reconnect",
        "environment_id",
        postgresql_where=text(f"status = '{AccountStatus.NEEDS_REAUTH}'"),
    ),
    Index("integrated_account_by_tenant", "environment_id", "tenant_id"),
)

sync_job = Table(
    "sync_job",
    metadata,
    id_column(),
    environment_column(),
    Column("integration_name", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("args_schema", JSONB, nullable=False),
    Column("args_validation", Text),
    Column("resources", JSONB, nullable=False),
    Column("default_runtime_version", Integer, nullable=False, server_default="3"),
    Column("mutex_key", Text),
    Column("state_key", Text),
    Column("overlap_seconds", Integer),  # None: the setting
    Column("wait_for_destinations", Boolean, nullable=False, server_default=text("false")),
    *times(),
    Index("sync_job_page", "environment_id", "created_at", "id"),
)

webhook = Table(
    "webhook",
    metadata,
    id_column(),
    environment_column(),
    Column("target_url", Text, nullable=False),
    Column("is_active", Boolean, nullable=False, server_default=text("true")),
    Column("event_types", ARRAY(Text)),
    Column("signature_encoding", Text, nullable=False, server_default="hex"),
    Column("changes_only", Boolean, nullable=False, server_default=text("false")),
    Column("secret_encrypted", LargeBinary, nullable=False),
    Column("previous_secret_encrypted", LargeBinary),  # signs too, for a while after it was replaced
    Column("previous_secret_expires_at", time_type),
    Column("failing_since", time_type),  # the first failure after the last success
    Column("disabled_reason", Text),  # why Ferryman, not a user, made it inactive
    *times(),
    Index("webhook_page", "environment_id", "created_at", "id"),
    # At the end of each run those are looked for that named its event; hardly any webhook names events.
    Index("webhook_choosy", "environment_id", postgresql_where=text("event_types is not null")),
)

# Whose accounts there are.
tenant = Table(
    "tenant",
    metadata,
    Column("environment_id", uuid_type, ForeignKey("environment.id"), primary_key=True),
    Column("id", Text, primary_key=True),  # the caller's own
    Column("name", Text, nullable=False),
    Column("metadata", JSONB, nullable=False, server_default=text("'{}'")),
    *times(),
    Index("tenant_page", "environment_id", "created_at", "id"),
)
