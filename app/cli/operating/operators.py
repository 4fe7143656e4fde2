"""The settings of a database, for commands that an operator runs beside the API."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from app import settings
from app.settings import Settings
from app.stack.joining import joining_environment

_DEFAULT_DATA_DIR: Final = ".ferryman"


def operator_settings(data_dir: Path | None) -> Settings:
    """Read the settings of this process's environment, or those of the stack that runs on a directory."""
    return joined_settings(data_dir, os.environ)


def joined_settings(data_dir: Path | None, environ: Mapping[str, str]) -> Settings:
    """Read the settings of an environment, or those of the stack that runs on a directory."""
    if data_dir is None and not environ.get("DATABASE_URL"):
        data_dir = Path(environ.get("FERRYMAN_DATA_DIR") or _DEFAULT_DATA_DIR)
    joined = {} if data_dir is None else joining_environment(data_dir)
    return settings.read_environment({**environ, **joined})
