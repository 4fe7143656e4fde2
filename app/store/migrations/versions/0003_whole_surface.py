"""What the whole surface keeps: unified models, triggers, states, templates, overrides, roles of tokens."""

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Nothing yet."""
