"""What became of a record since a webhook was last told of it."""

from enum import StrEnum


class Change(StrEnum):
    """How a record differs from what the webhook was told."""

    CREATED = "created"
    """It was told nothing of it, or that it has vanished."""
    UPDATED = "updated"
    """Its content is another."""
    DELETED = "deleted"
    """A run that has seen all there is has not seen it."""
