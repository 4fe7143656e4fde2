"""The command lines of Ferryman's own processes, used by the stack and by the command line."""

import sys
from pathlib import Path

import app
from app.engine.objects.daemons import RAPID_BRIDGE_QUEUE, name_queue

# Where to run them: `-m` looks into the working directory first, which may hold a stranger's `app` or `workers`.
PROJECT_ROOT = Path(app.__file__).resolve().parent.parent
FLOWER_CONFIG = PROJECT_ROOT / "workers" / "flower_config.py"


def api_command(bind: str, *, worker_tmp_dir: str, workers: int = 2, threads: int = 8) -> tuple[str, ...]:
    """Serve the API by gunicorn on ``host:port``, or on ``fd://N`` that is inherited.

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
        # The application itself decides whom it believes: FERRYMAN_TRUSTED_PROXIES.
        *("--forwarded-allow-ips", ""),
    )


def daemon_command(name: str, *, group: str, concurrency: int) -> tuple[str, ...]:
    """Run a Celery worker that serves a daemon group and the RapidBridge queue; no two on a machine have one name."""
    return (
        *(sys.executable, "-m", "celery", "-A", "workers.celery_app", "worker"),
        *("--pool", "threads", "--concurrency", str(concurrency)),
        *("--queues", f"{name_queue(group)},{RAPID_BRIDGE_QUEUE}"),
        *("--hostname", f"{name.replace('%', '%%')}@%h"),
        *("--loglevel", "INFO"),
        # Daemons agree through Postgres; neighbours' chatter only delays the start.
        *("--without-mingle", "--without-gossip"),
    )


def fresh_daemon_command(*, group: str, concurrency: int) -> tuple[str, ...]:
    """Run ``ferryman daemon``, which takes a new id each time: a daemon that is started again is a new one."""
    return (sys.executable, "-m", "app.cli", "daemon", "--group", group, "--concurrency", str(concurrency))


def prepare_command(token_file: Path) -> tuple[str, ...]:
    """Migrate, and see that there is a valid token in a file."""
    return (sys.executable, "-m", "app.cli", "prepare", str(token_file))


def flower_command(host: str, port: int) -> tuple[str, ...]:
    """Serve Flower; its users come from FLOWER_BASIC_AUTH, never from the command line, which all can read."""
    return (
        *(sys.executable, "-m", "celery", "-A", "workers.celery_app", "flower"),
        *(f"--address={host}", f"--port={port}", f"--conf={FLOWER_CONFIG}"),
    )
