"""Stretches of work on a unit, and what ends them."""

from enum import StrEnum


class SpellEnd(StrEnum):
    """Why work on a unit ended for a while, and so what the unit waits for."""

    TURN = "turn"
    """Its time was up, or there was no room: it is ready for any daemon."""
    LIMIT = "limit"
    """The upstream's limit."""
    RETRY = "retry"
    """It failed, and is tried again later."""
    RECEIVER = "receiver"
    """The webhook's receiver has to accept, or to catch up."""
    ACCOUNT = "account"
    """The account is inactive."""
    IDLE = "idle"
    """There was nothing to deliver."""
    LOST = "lost"
    """Its daemon was gone: it stopped renewing the lease."""
    ENDED = "ended"
    """The run ended, and was resumed."""
