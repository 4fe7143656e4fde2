"""Sessions of the dashboard, and the codes of sign-in links."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"

_UUID = sa.UUID(as_uuid=False)
_TIME = sa.DateTime(timezone=True)
_NOW = sa.func.now()


def upgrade() -> None:
    op.create_table(
        "dashboard_session",
        sa.Column("id", _UUID, primary_key=True),
        sa.Column("environment_id", _UUID, sa.ForeignKey("environment.id"), nullable=False),
        sa.Column("token_id", _UUID, sa.ForeignKey("api_token.id", ondelete="CASCADE")),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False, unique=True),
        sa.Column("created_at", _TIME, server_default=_NOW, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.CheckConstraint("role in ('read', 'run', 'admin')", name="dashboard_session_role"),
    )
    op.create_index("dashboard_session_expiry", "dashboard_session", ["expires_at"])
    op.create_table(
        "sign_in_code",
        sa.Column("code_hash", sa.LargeBinary(), primary_key=True),
        sa.Column("token_id", _UUID, sa.ForeignKey("api_token.id", ondelete="CASCADE"), nullable=False),
        sa.Column("created_at", _TIME, server_default=_NOW, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
    )
    op.create_index("sign_in_code_expiry", "sign_in_code", ["expires_at"])


def downgrade() -> None:
    op.drop_table("sign_in_code")
    op.drop_table("dashboard_session")
