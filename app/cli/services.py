"""The services of a database, for commands that do not go through the API."""

import os
from pathlib import Path

from app import bootstrap, settings
from app.api.services import ApiServices
from app.stack.joining import joining_environment

_DEFAULT_DATA_DIR = Path(".ferryman")


def api_services(data_dir: Path | None) -> ApiServices:
    """Build the services by the environment's settings, or by those of the stack that runs on a directory."""
    if data_dir is None and not os.environ.get("DATABASE_URL"):
        data_dir = _DEFAULT_DATA_DIR
    joined = {} if data_dir is None else joining_environment(data_dir)
    return bootstrap.api_services(settings.from_environment({**os.environ, **joined}))
