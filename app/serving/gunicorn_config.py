"""Gunicorn's configuration: ``--config python:app.serving.gunicorn_config``.

The master imports the code of its workers and runs none of it: a worker is forked with the code loaded, and opens its
own connections. A worker that died is replaced in a moment, and all share the memory of the code.
"""

import fcntl
import gc
import importlib
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from app import interpreter

_SHARED_VALUES: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Where workers put their metrics together; prometheus_client reads it as it is imported."""

_PRELOADED = ("app.api.application", "app.bootstrap.api")

_PREFIX: Final = "ferryman-metrics-"
_UNOWNED: Final = "new-"
_LOCK: Final = "owner.lock"

limit_request_line = 8190  # gunicorn's most; it reads this name


def make_directory() -> tuple[str, int]:
    """Make a directory of metrics, and return it with its lock, which ends with the last process that has it."""
    made = tempfile.mkdtemp(prefix=f"{_UNOWNED}{_PREFIX}")
    lock = os.open(Path(made) / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    # From here on others look at it.
    owned = Path(made).with_name(Path(made).name.removeprefix(_UNOWNED))
    return str(Path(made).rename(owned)), lock


def remove_leftovers() -> None:
    """Remove the metrics of masters that were killed, and so could not: nobody has their lock.

    A process id would not say it: containers that share a folder of temporary files each count their own.
    """
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            lock = os.open(left / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(lock)


if os.environ.get("FERRYMAN_METRICS_TOKEN"):
    remove_leftovers()
    # Kept open for the workers too, which are forked.
    os.environ[_SHARED_VALUES], _lock = make_directory()


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
