"""Check the values of settings; a message names the variable, and never repeats a secret."""

import base64
import binascii
import ipaddress
import math
import re
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlsplit

from app import broker_urls, database_urls

_GROUP_KEY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ORIGIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_SMTP_SCHEMES: Final = ("smtps", "smtp", "smtp+insecure")
_MAIL_ADDRESS: Final = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,253}")
_KEY_BYTES: Final = 32
LARGEST_REQUEST_BYTES: Final = 10 * 1024 * 1024
LEAST_MESSAGE_KEY_CHARACTERS: Final = 32
_LEAST_TOKEN_CHARACTERS: Final = 16
_LOG_FORMATS: Final = ("console", "json")
_NO_OPTIONS: Final = (
    "a pooler keeps no options (FERRYMAN_SESSION_DATABASE_URL is set): give them to the role instead, such as "
    "'alter role ferryman set search_path = app'"
)

_MAY_BE_ZERO: Final = frozenset(
    {
        *(
            "slice_pages",
            "token_requests",
            "environment_requests",
            "calls_per_account",
            "overlap_seconds",
            "stop_grace_seconds",
            "delivery_merge_records",
            "delivery_linger_seconds",
            "prepare_statements",
            "ambient_credentials",
            "dashboard_kills",
            "metrics_port",
            "tracing",
            "trace_upstreams",
            "read_ahead_bytes",
            "ask_again_percent",
            "notification_reminder_seconds",
        ),
        *("destination_wait_seconds", "destination_behind_seconds", "destination_failing_seconds"),
        *("retry_base_seconds", "delete_limit_percent"),
        *("run_retention_seconds", "delivered_retention_seconds"),
        *("tombstone_retention_seconds", "daemon_retention_seconds"),
        *("audit_retention_seconds", "erase_after"),
    }
)
_MOST: Final[Mapping[str, float]] = {
    "ask_again_percent": 100,
    "delete_limit_percent": 100,
    "prepare_statements": 1,
    "ambient_credentials": 1,
    "dashboard_kills": 1,
    "tracing": 1,
    "trace_upstreams": 1,
    "metrics_port": 65535,
}
_LONGER_THAN: Final = (("daemon_silence_seconds", "heartbeat_seconds"), ("deaf_seconds", "heartbeat_seconds"))
"""What waits for something that comes now and then must wait longer than that takes to come."""


def check_number(name: str, value: float) -> str | None:
    """Return what a number should have been; None when it may be what it is."""
    most = _MOST.get(name, math.inf)
    if math.isfinite(value) and value <= most and (value > 0 or (value == 0 and name in _MAY_BE_ZERO)):
        return None
    least = "0 or more" if name in _MAY_BE_ZERO else "more than 0"
    return f"expected a number, {least}" if most == math.inf else f"expected a number from 0 to {most:g}"


def check_text(name: str, text: str) -> str | None:
    """Return what a text should have been; None when it may be what it is."""
    check = _TEXTS.get(name)
    return None if check is None else check(text)


def check_together(values: Mapping[str, object], variable: Callable[[str], str]) -> list[str]:
    """Return which settings do not go together, by the names of their variables."""
    faults = []
    for longer, shorter in _LONGER_THAN:
        waits, comes = values[longer], values[shorter]
        if isinstance(waits, float) and isinstance(comes, float) and waits <= comes:
            faults.append(f"{variable(longer)}: expected more than {variable(shorter)}, which is {comes:g}")
    if values["session_database_url"] and "options" in database_urls.read_arguments(str(values["database_url"])):
        faults.append(f"{variable('database_url')}: {_NO_OPTIONS}")
    if bool(values["smtp_url"]) != bool(values["smtp_from"]):
        lacking = "smtp_from" if values["smtp_url"] else "smtp_url"
        faults.append(f"{variable(lacking)} is not set: expected both or neither of SMTP_URL and SMTP_FROM")
    return faults


def _make_check(read: Callable[[str], object]) -> Callable[[str], str | None]:
    """Make a check of what reads a text and raises ValueError."""

    def check(text: str) -> str | None:
        try:
            read(text)
        except ValueError as error:
            return str(error)
        return None

    return check


def _read_budget_url(text: str) -> None:
    if broker_urls.read(text).redis is None:
        raise ValueError("expected a URL like redis://host:6379/1")


def _check_encryption_key(text: str) -> str | None:
    for key in text.split(","):
        try:
            is_key = len(base64.urlsafe_b64decode(key.strip())) == _KEY_BYTES
        except (binascii.Error, ValueError):
            is_key = False
        if not is_key:
            return "expected 32 random bytes in url-safe base64, or several such keys, separated by commas"
    return None


def _check_message_key(text: str) -> str | None:
    is_long = len(text) >= LEAST_MESSAGE_KEY_CHARACTERS
    return None if is_long else f"has {len(text)} characters: expected {LEAST_MESSAGE_KEY_CHARACTERS} or more"


def _check_log_format(text: str) -> str | None:
    return None if text in _LOG_FORMATS else f"expected {' or '.join(_LOG_FORMATS)}"


def _check_metrics_token(text: str) -> str | None:
    is_long = len(text) >= _LEAST_TOKEN_CHARACTERS
    return None if is_long else f"has {len(text)} characters: expected {_LEAST_TOKEN_CHARACTERS} or more"


def _check_group(text: str) -> str | None:
    is_key = _GROUP_KEY.fullmatch(text)
    return None if is_key else "expected 1 to 100 letters, digits, '.', '-' and '_', beginning with a letter or digit"


def _check_networks(text: str) -> str | None:
    for part in filter(None, map(str.strip, text.split(","))):
        try:
            ipaddress.ip_network(part)
        except ValueError:
            return f"'{part}' is not a network such as 10.1.0.0/16"
    return None


def _check_origins(text: str) -> str | None:
    for part in filter(None, map(str.strip, text.split(","))):
        if part != "*" and not _ORIGIN.fullmatch(part):
            return f"'{part[:60]}' is not an origin such as https://app.example.com, without a path, or *"
    return None


def _check_public_url(text: str) -> str | None:
    try:
        parts = urlsplit(text)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    is_plain = is_address and "@" not in text and "?" not in text and "#" not in text and " " not in text
    return None if is_plain else "expected an address such as https://ferryman.example.com, without user and query"


def _check_smtp_url(text: str) -> str | None:
    expected = "expected an address such as smtps://user:password@mail.example.com, or smtp:// for STARTTLS"
    try:
        parts = urlsplit(text)
        is_address = parts.scheme in _SMTP_SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or parts.path not in ("", "/") or parts.query or parts.fragment:
        return expected
    if bool(parts.username) != bool(parts.password):
        return f"{expected}; user and password go together"
    if parts.username and parts.scheme == "smtp+insecure":
        return "smtp+insecure:// takes no user: a password would be sent in clear"
    return None


def _check_mail_address(text: str) -> str | None:
    is_address = _MAIL_ADDRESS.fullmatch(text)
    return None if is_address else "expected an address such as ferryman@example.com"


_TEXTS: Final[Mapping[str, Callable[[str], str | None]]] = {
    "database_url": _make_check(database_urls.read_arguments),
    "session_database_url": _make_check(database_urls.read_arguments),
    "broker_url": _make_check(broker_urls.read),
    "budget_url": _make_check(_read_budget_url),
    "encryption_key": _check_encryption_key,
    "message_key": _check_message_key,
    "log_format": _check_log_format,
    "metrics_token": _check_metrics_token,
    "default_group": _check_group,
    "allowed_networks": _check_networks,
    "trusted_proxies": _check_networks,
    "cors_origins": _check_origins,
    "public_url": _check_public_url,
    "smtp_url": _check_smtp_url,
    "smtp_from": _check_mail_address,
}
