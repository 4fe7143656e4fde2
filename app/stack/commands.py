"""The command lines of Ferryman's own processes, used by the stack and by the command line."""

import sys
from pathlib import Path

import app
from app.engine.objects.daemons import RAPID_BRIDGE_QUEUE, name_queue

# The working directory: `-m` searches it first, and another one may have an `app` or `workers` of its own.
PROJECT_ROOT = Path(app.__file__).resolve().parent.parent
FLOWER_CONFIG = PROJECT_ROOT / "workers" / "flower_config.py"


def build_api_command(bind: str, *, worker_tmp_dir: str, workers: int = 2, threads: int = 8) -> tuple[str, ...]:
    """Return the command that serves the API by gunicorn on ``host:port``, or on an inherited ``fd://N``.

    A worker takes fewer connections than it may have files open, which often is 1,024.
    """
    return (
        *(sys.executable, "-m", "gunicorn", "app.wsgi:app"),
        *("--config", "python:app.serving.gunicorn_config"),
        *("--bind", bind),
        *("--worker-class", "app.serving.worker.PatientWorker", "--workers", str(workers), "--threads", str(threads)),
        *("--worker-connections", "700", "--no-sendfile"),
        *("--worker-tmp-dir", worker_tmp_dir),
        *("--timeout", "60", "--graceful-timeout", "10"),
        "--no-control-socket",
        # The application decides which proxies it trusts: FERRYMAN_TRUSTED_PROXIES.
        *("--forwarded-allow-ips", ""),
    )


def build_daemon_command(name: str, *, group: str, concurrency: int) -> tuple[str, ...]:
    """Return the command of a Celery worker for a group and RapidBridge; its name is unique on the machine."""
    return (
        *(sys.executable, "-m", "workers.daemon", "workers.celery_app"),
        *("--pool", "threads", "--concurrency", str(concurrency)),
        *("--queues", f"{name_queue(group)},{RAPID_BRIDGE_QUEUE}"),
        *("--hostname", f"{name.replace('%', '%%')}@%h"),
        *("--loglevel", "INFO"),
        # Daemons coordinate through Postgres, and need no messages between workers.
        *("--without-mingle", "--without-gossip"),
    )


def build_fresh_daemon_command(*, group: str, concurrency: int) -> tuple[str, ...]:
    """Return the command ``ferryman daemon``, which takes a new id at each start."""
    return (sys.executable, "-m", "app.cli", "daemon", "--group", group, "--concurrency", str(concurrency))


def build_prepare_command(token_file: Path) -> tuple[str, ...]:
    """Return the command that migrates, and writes a valid token to a file."""
    return (sys.executable, "-m", "app.cli", "prepare", str(token_file))


def build_flower_command(host: str, port: int) -> tuple[str, ...]:
    """Return the command of Flower; its users come from FLOWER_BASIC_AUTH, since all can read a command line."""
    return (
        *(sys.executable, "-m", "celery", "-A", "workers.celery_app", "flower"),
        *(f"--address={host}", f"--port={port}", f"--conf={FLOWER_CONFIG}"),
    )
