"""The time that the API waits for clients, and how many may wait."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Limits of one worker process."""

    head_seconds: float = 10.0
    """From the first moment of a connection, or the first byte of its next request, to the end of the head."""
    body_seconds: float = 20.0
    """For a body or an answer to be transferred; more with each transferred byte."""
    bytes_per_second: int = 8 * 1024
    """One more second for each so many bytes: a slow client that makes progress is served."""
    idle_seconds: float = 5.0
    """Between two requests of a connection."""
    idle_seconds_of_proxy: float = 75.0
    """The same for a trusted proxy: longer than proxies keep theirs, so that none sends on a closing connection."""
    farewell_seconds: float = 2.0
    """For a client to close its side of a connection that was closed here."""
    unfinished_per_address: int = 64
    """Incomplete requests and answers of one address (IPv6: of one network); beyond it the oldest is closed."""
    most_bytes: int = 64 * 1024 * 1024
    """Of all received and unsent bytes in memory; beyond it the oldest connection is closed."""
    largest_answer_ahead: int = 2 * 1024 * 1024
    """Of one unsent answer in memory; the rest is kept in a file."""
    most_spooled_bytes: int = 512 * 1024 * 1024
    """Of all such files; beyond it the oldest connection is closed."""
