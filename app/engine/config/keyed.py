"""Configs whose type has a fixed set of keys: checked with all faults at once, and shown without their secrets."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.engine.errors import Failure
from app.engine.json_types import JSON, JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigKey:
    """One key of such a config."""

    check: Callable[[JSON], str | None]
    """Return what was expected; None when the value may be what it is."""
    is_secret: bool = False
    """It is stored encrypted, and never shown."""
    is_required: bool = False


def check_keys(kind: str, keys: Mapping[str, ConfigKey], config: JsonObject) -> list[Failure]:
    """Return every fault that a config of the type ``kind`` has by its keys alone."""
    found = [
        Failure(f"config.{name}", f"is no key of the type {kind}: expected {', '.join(keys)}")
        for name in config
        if name not in keys
    ]
    for name, key in keys.items():
        if name in config and (fault := key.check(config[name])):
            found.append(Failure(f"config.{name}", fault))
        elif name not in config and key.is_required:
            found.append(Failure(f"config.{name}", "is required"))
    return found


def show_keys(keys: Mapping[str, ConfigKey], config: JsonObject) -> JsonObject:
    """Return a config without its secrets, and without what is no key."""
    return {name: value for name, value in config.items() if name in keys and not keys[name].is_secret}


def list_secret_keys(keys: Mapping[str, ConfigKey], config: JsonObject) -> list[str]:
    """List the names of the secrets that a config holds."""
    return [name for name, key in keys.items() if key.is_secret and name in config]
