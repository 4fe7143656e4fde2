"""The services of a database, for commands that an operator runs beside the API."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from app import settings
from app.bootstrap import operating
from app.bootstrap.operating import People
from app.services.key_rotation import KeyRotation
from app.settings import Settings
from app.stack.joining import joining_environment

_DEFAULT_DATA_DIR: Final = ".ferryman"


def people(data_dir: Path | None) -> People:
    """Return who may call the API, in the environment's database or that of the stack on a directory."""
    return operating.people(joined_settings(data_dir, os.environ))


def key_rotation(data_dir: Path | None) -> KeyRotation:
    """Return what replaces keys, in the environment's database or that of the stack on a directory."""
    return operating.key_rotation(joined_settings(data_dir, os.environ))


def joined_settings(data_dir: Path | None, environ: Mapping[str, str]) -> Settings:
    """Read the environment's settings, or those of the stack that runs on a directory."""
    if data_dir is None and not environ.get("DATABASE_URL"):
        data_dir = Path(environ.get("FERRYMAN_DATA_DIR") or _DEFAULT_DATA_DIR)
    joined = {} if data_dir is None else joining_environment(data_dir)
    return settings.from_environment({**environ, **joined})
