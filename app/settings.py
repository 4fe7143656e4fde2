"""Every setting of a Ferryman process, read from the environment and checked at start."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from app import numerals, setting_values
from app.setting_errors import MissingSettingError


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of a process; docs/settings.md and dotenv-sample describe each."""

    database_url: str = field(repr=False)
    broker_url: str = field(repr=False)
    encryption_key: str = field(repr=False)
    """A Fernet key (32 bytes, url-safe base64) that encrypts credentials and webhook secrets."""
    session_database_url: str = field(default="", repr=False)
    """Postgres itself, where ``database_url`` leads to a pooler: for work that needs a session of its own."""
    default_group: str = "default"
    message_key: str = field(default="", repr=False)
    """Signs Celery messages, and has those refused that it has not signed; empty: none is signed."""
    publish_timeout_seconds: float = 2.0
    spool_bytes: int = 32 * 1024 * 1024
    """The JSON that one spool may pass on as one batch: a daemon holds all of it at once."""
    slice_seconds: float = 5.0
    slice_pages: int = 0
    """After how many pages, or webhook events, a slice ends too; 0: only time ends it."""
    lease_seconds: float = 15.0
    stop_grace_seconds: float = 5.0
    """How long a slice waits for answers in flight once its daemon is to stop."""
    children_per_unit: int = 500
    budget_url: str = field(default="", repr=False)
    """The Redis of the shared rate budgets; empty is the broker, when that is a Redis."""
    requests_per_account: int = 64
    """Requests in flight to one account at most, over all daemons."""
    units_per_account: int = 3
    """Units of one account that a daemon works on at once: fewer than its workers, so that others find one."""
    requests_at_start: int = 8
    """The first window of an account, which then grows and shrinks."""
    request_timeout_seconds: float = 30.0
    direct_call_seconds: float = 40.0
    request_attempts: int = 5
    retry_base_seconds: float = 0.5
    allowed_networks: str = ""
    """Networks such as ``10.0.0.0/8``, separated by commas, that may be connected to although they are not public."""
    response_limit_bytes: int = 100 * 1024 * 1024
    answers_memory_bytes: int = 256 * 1024 * 1024
    """What all upstream answers of a process may take while they are read; beyond it the next one waits."""
    read_ahead_bytes: int = 16 * 1024 * 1024
    """Bytes of all lists' answers that may wait for their turn; 0: no page is requested ahead of its turn."""
    ask_again_percent: float = 2.0
    """Of an account's requests so many may be sent once more when their answers are late; 0: none."""
    delivery_timeout_seconds: float = 30.0
    delivery_retention_seconds: float = 24 * 3600.0
    webhook_disable_after_seconds: float = 5 * 24 * 3600.0
    delivery_batch_bytes: int = 1024 * 1024
    deliveries_per_webhook: int = 20
    """Deliveries to one webhook that are in flight at once, over all daemons."""
    delivery_merge_records: int = 500
    """Up to how many records, and ``delivery_batch_bytes``, batches that wait are merged into one; 0: none is."""
    delivery_linger_seconds: float = 0.5
    """How long a batch that is not full waits for more while the run fetches; 0: not at all."""
    delivery_backlog: int = 4
    """Batches of a run that may wait for its webhook before its fetching pauses."""
    destination_accounts: int = 4
    """Accounts of one destination that are written at once, over all daemons."""
    destination_slices: int = 2
    """Slices of destinations that a daemon does at once; its other threads are left to runs."""
    destination_wait_seconds: float = 3600.0
    """How long a run with ``wait_for_destinations`` waits for them before it fails; 0: for as long as it takes."""
    destination_behind_seconds: float = 900.0
    """How long the oldest entry that a destination has not written may wait until webhooks get an event; 0: never."""
    destination_failing_seconds: float = 60.0
    """How long a destination may fail before ``destination:failing`` is sent; 0: at the first failure."""
    destination_directory: str = ""
    """Where datastores of the types filesystem and duckdb keep their files, each below it; empty: there are none."""
    ambient_credentials: int = 0
    """1: datastores without credentials use those that the cloud gives to this machine."""
    delete_limit_percent: float = 20.0
    """Of a resource's records: when more have vanished upstream at once, none is deleted."""
    overlap_seconds: int = 120
    """How far an increment reaches back before the upper bound of the one before."""
    token_requests: int = 500
    """Requests of one API token in a window, over all API processes; 0: no limit."""
    token_window_seconds: float = 10.0
    environment_requests: int = 2000
    """Requests of all tokens of an environment in that window; 0: no limit."""
    calls_per_account: int = 50
    """Direct calls of one account in a window, over all tokens; 0: no limit."""
    calls_window_seconds: float = 10.0
    request_limit_bytes: int = setting_values.LARGEST_REQUEST_BYTES
    trusted_proxies: str = ""
    """Networks, separated by commas, of proxies whose forwarded client addresses are trusted."""
    cors_origins: str = ""
    """Origins, separated by commas, whose pages may call the API from a browser; ``*`` is every page."""
    dashboard_session_seconds: float = 12 * 3600.0
    """How long somebody stays signed in to the dashboard."""
    oidc_issuer: str = ""
    """The OpenID provider that people sign in to the dashboard by; empty: they do by tokens alone."""
    oidc_client_id: str = ""
    oidc_client_secret: str = field(default="", repr=False)
    oidc_claim: str = "ferryman"
    """The claim that gives ``environment:role``."""
    dashboard_kills: int = 0
    """1: admins may kill daemons of the API's machine on the dashboard, to see that nothing is lost."""
    heartbeat_seconds: float = 10.0
    """How often a daemon calls itself through the broker, and reports to the leader."""
    daemon_silence_seconds: float = 40.0
    deaf_seconds: float = 60.0
    """After how long without an answer to its own calls a daemon restarts itself."""
    sweep_seconds: float = 1.0
    ring_after_seconds: float = 30.0
    stuck_seconds: float = 300.0
    """After how long a stuck run is freed, or ended where there is nothing to free."""
    stalled_slices: int = 60
    """Slices of a unit in a row that bring no record and end no pagination, after which its run fails."""
    run_retention_seconds: float = 90 * 24 * 3600.0
    """How long ended runs stay, with their units, errors and events; 0 keeps for ever, here and below."""
    delivered_retention_seconds: float = 7 * 24 * 3600.0
    tombstone_retention_seconds: float = 30 * 24 * 3600.0
    daemon_retention_seconds: float = 7 * 24 * 3600.0
    audit_retention_seconds: float = 400 * 24 * 3600.0
    """How long it is kept who changed what."""
    erase_after: float = 30 * 24 * 3600.0
    """Seconds after which a deleted account is erased with all that is held of it; 0 is at once."""
    log_format: str = "console"
    """``console`` or ``json``, a line per event either way."""
    metrics_token: str = field(default="", repr=False)
    """What Prometheus sends to ``GET /metrics`` of the API as its bearer token; empty: there is no such page."""
    metrics_host: str = "127.0.0.1"
    metrics_port: int = 0
    """Where a daemon serves its own metrics: the first free port from here on; 0: nowhere."""
    public_url: str = ""
    """Where people reach this Ferryman, for links in notifications; empty: those have none."""
    smtp_url: str = field(default="", repr=False)
    """The mail server of notifications that name none: smtps://, or smtp:// for STARTTLS."""
    smtp_from: str = ""
    """The address from which it sends."""
    notification_interval_seconds: float = 300.0
    """Between two notifications about one cause to one destination."""
    notification_reminder_seconds: float = 24 * 3600.0
    """After how long people are reminded of what is still so; 0: never."""
    tracing: int = 0
    """1: runs are traced, and sent by OTLP as OpenTelemetry's own variables say."""
    trace_upstreams: int = 0
    """1: upstreams get the ``traceparent`` of the requests to them."""
    database_pool_size: int = 10
    prepare_statements: int = 1
    """0: for a pooler before Postgres that keeps no prepared statements."""

    @property
    def direct_database_url(self) -> str:
        """The URL by which a session of Postgres is one's own."""
        return self.session_database_url or self.database_url


_REQUIRED = {"database_url": "DATABASE_URL", "broker_url": "BROKER_URL", "encryption_key": "FERRYMAN_ENCRYPTION_KEY"}


def read_environment(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings; raise MissingSettingError that names every variable that is missing or wrong."""
    source = os.environ if environ is None else environ
    values: dict[str, object] = {}
    faults = [f"{name} is not set" for name in _REQUIRED.values() if not source.get(name)]
    for name, spec in Settings.__dataclass_fields__.items():
        values[name] = spec.default
        if text := source.get(_name_variable(name)):
            values[name], fault = _read(name, spec.type, text)
            faults += [f"{_name_variable(name)}: {fault}"] if fault else []
    if not faults:
        faults = setting_values.check_together(values, _name_variable)
    if faults:
        raise MissingSettingError("; ".join(faults))
    return Settings(**values)  # type: ignore[arg-type]  # checked field by field above


def _name_variable(name: str) -> str:
    return _REQUIRED.get(name, f"FERRYMAN_{name.upper()}")


def _read(name: str, kind: object, text: str) -> tuple[object, str | None]:
    """Return a setting's value, and what is wrong with it; a text may be secret, so only a number is repeated."""
    if kind is str:
        return text, setting_values.check_text(name, text)
    try:
        value = numerals.read_whole(text) if kind is int else numerals.read_decimal(text)
    except ValueError:
        return text, f"expected {'a whole number' if kind is int else 'a number'}, not '{text[:40]}'"
    fault = setting_values.check_number(name, value)
    return value, fault and f"{fault}, not '{text[:40]}'"
