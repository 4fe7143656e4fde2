"""For how long the API waits for a client, and how many of them wait at a time."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Limits of one worker process."""

    head_seconds: float = 10.0
    """From the first moment of a connection, or the first byte of its next request, to the end of the head."""
    body_seconds: float = 20.0
    """For a body, or an answer, to go over; more of it by what has gone over."""
    bytes_per_second: int = 8 * 1024
    """A second more for each so many bytes: who is slow but goes on is waited for."""
    idle_seconds: float = 5.0
    """Between two requests of a connection."""
    idle_seconds_of_proxy: float = 75.0
    """The same for a trusted proxy: longer than proxies keep theirs, so that none asks on one that just ends."""
    farewell_seconds: float = 2.0
    """For a client to close its side of a connection that was ended here."""
    unfinished_per_address: int = 64
    """Requests and answers under way of one address (IPv6: of one network); the oldest gives way to the next."""
    most_bytes: int = 64 * 1024 * 1024
    """Of all that has come in and not gone out; beyond it, the oldest gives way."""
    largest_answer_ahead: int = 2 * 1024 * 1024
    """Of one answer that waits for its client in memory; what is larger waits in a file."""
    most_spooled_bytes: int = 512 * 1024 * 1024
    """Of all such files; beyond it, the oldest gives way."""
