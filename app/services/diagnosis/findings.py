"""What an installation shows of itself, and what the checks of it find."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from app.services.diagnosis.fleet import Fleet


class Severity(IntEnum):
    """How bad it is; the worst one is the exit code of ``ferryman doctor``."""

    OK = 0
    WARNING = 1
    ERROR = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check has found."""

    check: str
    severity: Severity
    message: str
    why: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFacts:
    """What Postgres shows of itself."""

    version: str
    """Such as ``17.2``."""
    revision: str | None
    """Of the schema; None for a database without one."""
    newest_revision: str
    """That this version of Ferryman migrates to."""
    is_read_only: bool
    connections: int
    most_connections: int
    size_bytes: int
    longest_transaction_seconds: float
    dead_rows: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """By table: dead and live rows, of those with many dead ones."""
    has_leader: bool
    skew_seconds: float
    """How far Postgres' clock is ahead of this machine's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerFacts:
    """What a Redis broker shows of itself; None where it does not show it."""

    is_reachable: bool
    used_bytes: int | None = None
    most_bytes: int | None = None
    policy: str | None = None
    skew_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """All that the checks look at."""

    database: DatabaseFacts
    broker: BrokerFacts
    fleet: Fleet | None = None
    """None before the schema is current."""
    has_message_key: bool = True
    key_fault: str | None = None
    """Why the encryption key does not open the database's secrets."""
