"""The services of a database, for commands that do not go through the API."""

import os
from collections.abc import Mapping
from pathlib import Path

from app import settings
from app.api.services import ApiServices
from app.bootstrap import api as bootstrap
from app.settings import Settings
from app.stack.joining import joining_environment

_DEFAULT_DATA_DIR = ".ferryman"


def api_services(data_dir: Path | None) -> ApiServices:
    """Build the services by the environment's settings, or by those of the stack that runs on a directory."""
    return bootstrap.api_services(joined_settings(data_dir, os.environ))


def joined_settings(data_dir: Path | None, environ: Mapping[str, str]) -> Settings:
    """Read the environment's settings, or those of the stack that runs on a directory."""
    if data_dir is None and not environ.get("DATABASE_URL"):
        data_dir = Path(environ.get("FERRYMAN_DATA_DIR") or _DEFAULT_DATA_DIR)
    joined = {} if data_dir is None else joining_environment(data_dir)
    return settings.from_environment({**environ, **joined})
