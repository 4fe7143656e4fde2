"""Gunicorn's configuration: ``--config python:app.serving.gunicorn_config``.

The master imports what its workers run, and makes none of it: a worker is forked with the code there, and opens its
own connections. So a worker that died is back in a moment, and all share the memory of the code.
"""

import gc
import importlib
from typing import Any

_PRELOADED = ("app.api.application", "app.bootstrap.api")


def on_starting(_arbiter: Any) -> None:
    """Import the application's modules, once for all workers; importing one starts no thread and opens no file."""
    for name in _PRELOADED:
        importlib.import_module(name)
    # Pages that no worker's collector writes to stay shared.
    gc.freeze()
