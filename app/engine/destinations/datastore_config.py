"""The config of a datastore: checked against its type's keys with all faults at once, and shown without its secrets."""

from app.engine.config.keyed import check_keys, list_secret_keys, show_keys
from app.engine.destinations.config_keys import CREDENTIALS, KEYS
from app.engine.errors import Failure
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.destinations import DatastoreType

_POSTGRES_PARTS = ("host", "database", "user")


def check_config(kind: DatastoreType, config: JSON, *, may_lack_credentials: bool = False) -> list[Failure]:
    """Return every fault of a config; with ``may_lack_credentials`` the machine's own ones serve in their place."""
    if not isinstance(config, dict):
        return [Failure("config", "expected an object")]
    return [*check_keys(kind, KEYS[kind], config), *_check_together(kind, config, may_lack_credentials)]


def show_config(kind: DatastoreType, config: JsonObject) -> JsonObject:
    """Return a config without its secrets."""
    return show_keys(KEYS[kind], config)


def list_secrets(kind: DatastoreType, config: JsonObject) -> list[str]:
    """List the names of the secrets that a config holds."""
    return list_secret_keys(KEYS[kind], config)


def _check_together(kind: DatastoreType, config: JsonObject, may_lack_credentials: bool) -> list[Failure]:
    if kind is DatastoreType.POSTGRES:
        return _check_postgres(config)
    ways = CREDENTIALS.get(kind, ())
    if not ways or may_lack_credentials or any(way <= config.keys() for way in ways):
        return []
    expected = ", or ".join(" and ".join(sorted(way)) for way in ways)
    return [Failure("config", f"lacks credentials: expected {expected}")]


def _check_postgres(config: JsonObject) -> list[Failure]:
    if "url" not in config:
        lacking = [name for name in _POSTGRES_PARTS if name not in config]
        return [Failure("config", f"lacks {', '.join(lacking)}: expected these, or url")] if lacking else []
    doubled = [name for name in (*_POSTGRES_PARTS, "port", "password") if name in config]
    return [Failure(f"config.{name}", "is part of the url already: send one of the two") for name in doubled]
