"""Gunicorn's configuration: ``--config python:app.serving.gunicorn_config``.

The master imports the code of its workers and runs none of it: a worker is forked with the code loaded, and opens its
own connections. A worker that died is replaced in a moment, and all share the memory of the code.
"""

import gc
import importlib
from typing import Any

_PRELOADED = ("app.api.application", "app.bootstrap.api")


def on_starting(_arbiter: Any) -> None:
    """Import the application's modules, once for all workers; importing one starts no thread and opens no file."""
    for name in _PRELOADED:
        importlib.import_module(name)
    # The collector writes to no frozen object, whose memory pages stay shared.
    gc.freeze()
