"""Who is signed in to the dashboard."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, LargeBinary, Table, Text, func

from app.store.tables.base import environment_column, id_column, metadata, time_type, uuid_type

dashboard_session = Table(
    "dashboard_session",
    metadata,
    id_column(),
    environment_column(),
    # What was signed in with, whose end is the session's; None: an OpenID provider says who it is
    Column("token_id", uuid_type, ForeignKey("api_token.id", ondelete="CASCADE")),
    Column("name", Text, nullable=False),  # of the token, or of the person
    Column("role", Text, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False, unique=True),  # SHA-256 of what the cookie holds
    Column("created_at", time_type, nullable=False, server_default=func.now()),
    Column("expires_at", time_type, nullable=False),
    CheckConstraint("role in ('read', 'run', 'admin')", name="dashboard_session_role"),
    Index("dashboard_session_expiry", "expires_at"),
)

# A sign-in link holds a code, which is removed as it is used.
sign_in_code = Table(
    "sign_in_code",
    metadata,
    Column("code_hash", LargeBinary, primary_key=True),  # SHA-256 of the code
    Column("token_id", uuid_type, ForeignKey("api_token.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", time_type, nullable=False, server_default=func.now()),
    Column("expires_at", time_type, nullable=False),
    Index("sign_in_code_expiry", "expires_at"),
)
