"""The only reader of the environment: every setting of a Ferryman process, checked at start."""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field


class MissingSettingError(Exception):
    """A required environment variable is not set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a process is told from outside; docs/settings.md and dotenv-sample describe each."""

    database_url: str = field(repr=False)
    broker_url: str = field(repr=False)
    encryption_key: str = field(repr=False)
    """A Fernet key (32 bytes, url-safe base64) that encrypts credentials and webhook secrets."""
    default_group: str = "default"
    message_key: str = field(default="", repr=False)
    """Signs Celery messages, and has those refused that it has not signed; empty: none is signed."""
    publish_timeout_seconds: float = 2.0
    spool_bytes: int = 32 * 1024 * 1024
    """The JSON that one spool may give on as one batch: a daemon holds all of it at once."""
    slice_seconds: float = 5.0
    slice_pages: int = 0
    """After how many pages, or webhook events, a slice ends too; 0: only time ends it."""
    lease_seconds: float = 15.0
    stop_grace_seconds: float = 5.0
    """How long a slice waits for answers under way once its daemon was told to go."""
    children_per_unit: int = 500
    budget_url: str = field(default="", repr=False)
    """The Redis of the shared rate budgets; empty is the broker, when that is a Redis."""
    requests_per_account: int = 64
    """Requests under way to one account at most, over all daemons."""
    units_per_account: int = 3
    """Units of one account that a daemon works on at once: fewer than its workers, so that others find one."""
    requests_at_start: int = 8
    """What an account begins with; the window grows and shrinks from there."""
    request_timeout_seconds: float = 30.0
    direct_call_seconds: float = 40.0
    request_attempts: int = 5
    retry_base_seconds: float = 0.5
    allowed_networks: str = ""
    """Networks such as ``10.0.0.0/8``, parted by commas, that may be connected to although they are not public."""
    response_limit_bytes: int = 100 * 1024 * 1024
    delivery_timeout_seconds: float = 30.0
    delivery_retention_seconds: float = 24 * 3600.0
    webhook_disable_after_seconds: float = 5 * 24 * 3600.0
    delivery_batch_bytes: int = 1024 * 1024
    delivery_backlog: int = 4
    """Batches of a run that may wait for its webhook before its fetching pauses."""
    delete_limit_percent: float = 20.0
    """Of a resource's records: when more have vanished upstream at once, none is deleted."""
    overlap_seconds: int = 120
    """How far an increment reaches back before the upper bound of the one before."""
    token_requests: int = 500
    """What one API token may ask in a window, over all API processes; 0: as much as it likes."""
    token_window_seconds: float = 10.0
    calls_per_account: int = 50
    """Direct calls of one account in a window, whoever makes them; 0: as many as anybody likes."""
    calls_window_seconds: float = 10.0
    request_limit_bytes: int = 10 * 1024 * 1024
    heartbeat_seconds: float = 10.0
    """How often a daemon calls itself through the broker, and reports to the leader."""
    daemon_silence_seconds: float = 40.0
    deaf_seconds: float = 60.0
    """After how long without an answer to its own calls a daemon starts itself anew."""
    sweep_seconds: float = 1.0
    ring_after_seconds: float = 30.0
    stuck_seconds: float = 300.0
    """After how long a run that nobody can work on is freed, or ended where there is nothing to free."""
    stalled_slices: int = 60
    """Slices of a unit in a row that bring no record and end no pagination, after which its run fails."""
    run_retention_seconds: float = 90 * 24 * 3600.0
    """How long ended runs stay, with their units, errors and events; 0 keeps for ever, here and below."""
    delivered_retention_seconds: float = 7 * 24 * 3600.0
    tombstone_retention_seconds: float = 30 * 24 * 3600.0
    daemon_retention_seconds: float = 7 * 24 * 3600.0
    database_pool_size: int = 10


_REQUIRED = {"database_url": "DATABASE_URL", "broker_url": "BROKER_URL", "encryption_key": "FERRYMAN_ENCRYPTION_KEY"}


def from_environment(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings; raise MissingSettingError that names every variable that is missing or malformed."""
    source = os.environ if environ is None else environ
    values: dict[str, object] = {}
    faults = [f"{name} is not set" for name in _REQUIRED.values() if not source.get(name)]
    for name, spec in Settings.__dataclass_fields__.items():
        variable = _REQUIRED.get(name, f"FERRYMAN_{name.upper()}")
        if not (text := source.get(variable)):
            continue
        try:
            values[name] = spec.type(text) if callable(spec.type) else text
        except ValueError:
            faults.append(f"{variable} is not a number: expected a value like {spec.default!r}")
    faults += _network_faults(source.get("FERRYMAN_ALLOWED_NETWORKS", ""))
    if faults:
        raise MissingSettingError("; ".join(faults))
    return Settings(**values)  # type: ignore[arg-type]  # checked field by field above


def _network_faults(text: str) -> list[str]:
    faults = []
    for part in filter(None, map(str.strip, text.split(","))):
        try:
            ipaddress.ip_network(part)
        except ValueError:
            faults.append(f"FERRYMAN_ALLOWED_NETWORKS: '{part}' is not a network such as 10.1.0.0/16")
    return faults
