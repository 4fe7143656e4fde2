"""Gunicorn's configuration: ``--config python:app.serving.gunicorn_config``.

The master imports the code of its workers and runs none of it: a worker is forked with the code loaded, and opens its
own connections. A worker that died is replaced in a moment, and all share the memory of the code.
"""

import gc
import importlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

from app import interpreter

_SHARED_VALUES: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Where workers put their metrics together; prometheus_client reads it as it is imported."""

_PRELOADED = ("app.api.application", "app.bootstrap.api")

_PREFIX: Final = "ferryman-metrics-"


def remove_leftovers() -> None:
    """Remove the metrics of masters that were killed, and so could not: the directory's name has the process's id."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        process_id = left.name.removeprefix(_PREFIX).partition("-")[0]
        if process_id.isdecimal() and not _is_alive(int(process_id)):
            shutil.rmtree(left, ignore_errors=True)


def _is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


if os.environ.get("FERRYMAN_METRICS_TOKEN"):
    remove_leftovers()
    os.environ[_SHARED_VALUES] = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-")


def on_starting(_arbiter: Any) -> None:
    """Import the application's modules, once for all workers; importing one starts no thread and opens no file."""
    interpreter.collect_rarely()
    for name in _PRELOADED:
        importlib.import_module(name)
    # The collector writes to no frozen object, whose memory pages stay shared.
    gc.freeze()


def child_exit(_arbiter: Any, worker: Any) -> None:
    """Forget what a worker that has ended measured of its present; what it has counted stays."""
    if _SHARED_VALUES in os.environ:
        multiprocess = importlib.import_module("prometheus_client.multiprocess")
        multiprocess.mark_process_dead(worker.pid)


def on_exit(_arbiter: Any) -> None:
    """Remove the workers' metrics."""
    if _SHARED_VALUES in os.environ:
        shutil.rmtree(os.environ[_SHARED_VALUES], ignore_errors=True)
