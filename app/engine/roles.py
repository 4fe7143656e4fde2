"""What the holder of a token may do: each role covers those before it."""

from enum import StrEnum


class Role(StrEnum):
    """The role of an API token."""

    READ = "read"
    """Look at everything of the environment."""
    RUN = "run"
    """Start, stop and resume runs, send deliveries again, call accounts."""
    ADMIN = "admin"
    """Change definitions, accounts, webhooks and tokens."""

    def covers(self, needed: "Role") -> bool:
        """Whether the holder of this role may do what another one allows."""
        order = list(Role)
        return order.index(self) >= order.index(needed)
