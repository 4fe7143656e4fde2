"""The config of a notification destination: its type's keys, checked all at once, and shown without secrets."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from app.engine.config.keyed import ConfigKey, check_keys, list_secret_keys, show_keys
from app.engine.destinations.key_checks import (
    check_certificate,
    check_choice,
    check_host,
    check_name,
    check_port,
    check_text,
    check_web_address,
)
from app.engine.errors import Failure
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.notifications import NotificationType
from app.engine.redaction import MASK

SECURITIES: Final = ("starttls", "tls")
MOST_ADDRESSES: Final = 50
_SHORTEST_PART: Final = 8
"""A shorter one is no secret, but a word such as a path's "services"."""
_ADDRESS: Final = re.compile(r"(?!.*=\?)[^\s@<>()\[\]\\,;:\"\x00-\x1f\x7f]{1,64}@[A-Za-z0-9.-]{1,253}")
_ORIGIN: Final = re.compile(r"\Ahttps?://[^/]*")
_STEPS: Final = re.compile(r"[/?&=]")
_OWN_SERVER: Final = ("port", "security", "user", "password", "root_certificate")


def check_address(value: JSON) -> str | None:
    """Check one plain address of mail; what could begin another header, or an encoded word, is in none."""
    is_address = isinstance(value, str) and _ADDRESS.fullmatch(value)
    return None if is_address else "expected an address such as ops@example.com"


def check_addresses(value: JSON) -> str | None:
    """Check a list of addresses, or one."""
    expected = f"expected 1 to {MOST_ADDRESSES} addresses such as ops@example.com, as a list"
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not 0 < len(listed) <= MOST_ADDRESSES:
        return expected
    return expected if any(check_address(one) for one in listed) else None


def check_statuses(value: JSON) -> str | None:
    """Check a list of HTTP statuses."""
    is_list = isinstance(value, list) and all(type(one) is int and 100 <= one <= 599 for one in value)
    return None if is_list else "expected a list of HTTP statuses such as [404]"


KEYS: Final[Mapping[NotificationType, Mapping[str, ConfigKey]]] = MappingProxyType(
    {
        NotificationType.SLACK: {
            # Whoever knows the address can post there.
            "webhook_url": ConfigKey(check=check_web_address, is_secret=True, is_required=True),
            "ignored_status_codes": ConfigKey(check=check_statuses),
        },
        NotificationType.EMAIL: {
            "to": ConfigKey(check=check_addresses, is_required=True),
            "cc": ConfigKey(check=check_addresses),
            "bcc": ConfigKey(check=check_addresses),
            "subject_prefix": ConfigKey(check=check_name),
            "from": ConfigKey(check=check_address),
            "host": ConfigKey(check=check_host),
            "port": ConfigKey(check=check_port),
            "security": ConfigKey(check=check_choice(SECURITIES)),
            "user": ConfigKey(check=check_name),
            "password": ConfigKey(check=check_text, is_secret=True),
            "root_certificate": ConfigKey(check=check_certificate),
        },
        NotificationType.WEBHOOK: {
            "target_url": ConfigKey(check=check_web_address, is_required=True),
            "secret": ConfigKey(check=check_text, is_secret=True),
        },
    }
)


def check_config(kind: NotificationType, config: JSON, *, has_mail_server: bool) -> list[Failure]:
    """Return every fault of a config; ``has_mail_server``: mail without a host is sent by the operator's."""
    if not isinstance(config, dict):
        return [Failure("config", "expected an object")]
    found = check_keys(kind, KEYS[kind], config)
    return [*found, *(_check_mail(config, has_mail_server) if kind is NotificationType.EMAIL else [])]


def show_config(kind: NotificationType, config: JsonObject) -> JsonObject:
    """Return a config without its secrets."""
    return show_keys(KEYS[kind], config)


def list_secrets(kind: NotificationType, config: JsonObject) -> list[str]:
    """List the names of the secrets that a config holds."""
    return list_secret_keys(KEYS[kind], config)


def hide_secrets(kind: NotificationType, config: JsonObject, text: str) -> str:
    """Return what a receiver has answered without a config's secrets, or parts of them, that it repeats."""
    for part in _list_secret_parts(kind, config):
        text = text.replace(part, MASK)
        # An answer is cut somewhere.
        if length := next((n for n in range(len(part) - 1, _SHORTEST_PART - 1, -1) if text.endswith(part[:n])), 0):
            text = text[:-length] + MASK
    return text


def _list_secret_parts(kind: NotificationType, config: JsonObject) -> list[str]:
    """List secrets, the longest first; of an address the path too, and each of its steps."""
    secrets = [str(config[name]) for name in list_secrets(kind, config)]
    parts = {part for secret in secrets for part in (secret, _ORIGIN.sub("", secret), *_STEPS.split(secret))}
    return sorted((part for part in parts if len(part) >= _SHORTEST_PART), key=len, reverse=True)


def read_addresses(value: JSON) -> list[str]:
    """Return a list of addresses, of which one may stand alone."""
    return [value] if isinstance(value, str) else list(value or [])


def _check_mail(config: JsonObject, has_mail_server: bool) -> list[Failure]:
    found = []
    if "host" not in config:
        found += [
            Failure(f"config.{name}", "is of the server that host names") for name in _OWN_SERVER if name in config
        ]
        if not has_mail_server:
            found.append(Failure("config.host", "is required: the operator has set no FERRYMAN_SMTP_URL"))
    elif "from" not in config:
        found.append(Failure("config.from", "is required beside host"))
    if ("user" in config) != ("password" in config):
        lacking = "password" if "user" in config else "user"
        found.append(Failure(f"config.{lacking}", "is required: user and password go together"))
    return found
