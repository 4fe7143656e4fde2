"""``ferryman api``, ``ferryman daemon`` and ``ferryman flower``: one process each, configured by the environment."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from app import settings
from app.bootstrap.encryption import check_encryption_key
from app.bootstrap.tracing import check_tracing
from app.cli.options import WholeRange
from app.engine.ids import new_id
from app.stack import commands, daemon_names, extras
from app.stack.joining import build_joining_environment

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  # a place for gunicorn's heartbeat that never touches a disk


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=WholeRange(1, 65535), help="Port to listen on.")
@click.option("--workers", default=2, show_default=True, type=WholeRange(1, 64), help="Processes.")
@click.option(
    "--threads",
    default=8,
    show_default=True,
    type=WholeRange(1, 256),
    help="Threads per process, and as many for calls of upstreams.",
)
def api(host: str, port: int, workers: int, threads: int) -> None:
    """Serve the HTTP API by gunicorn.

    Reads DATABASE_URL, BROKER_URL and FERRYMAN_ENCRYPTION_KEY from the environment.
    """
    read = settings.read_environment()
    check_encryption_key(read)
    check_tracing(read)
    bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    temporary = _SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK) else Path("/tmp")  # noqa: S108
    command = commands.build_api_command(bind, worker_tmp_dir=str(temporary), workers=workers, threads=threads)
    _become(command, {})


def become_daemon(*, group: str, daemon_id: str | None, concurrency: int, data_dir: Path | None) -> None:
    """Replace this process by a daemon of a group."""
    environment = {} if data_dir is None else build_joining_environment(data_dir)
    read = settings.read_environment({**os.environ, **environment})
    check_encryption_key(read)
    check_tracing(read)
    place = environment.get(daemon_names.PLACE)
    name = daemon_names.take_name(group, broker_url=read.broker_url, directory=None if place is None else Path(place))
    identity = {"FERRYMAN_DAEMON_ID": daemon_id or new_id(), "FERRYMAN_DAEMON_GROUP": group}
    _become(commands.build_daemon_command(name, group=group, concurrency=concurrency), environment | identity)


@click.command(short_help="Serve Flower, Celery's dashboard.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=5555, show_default=True, type=WholeRange(1, 65535), help="Port to listen on.")
def flower(host: str, port: int) -> None:
    """Serve Flower, with Ferryman's columns and refusals in words.

    Reads BROKER_URL, FERRYMAN_MESSAGE_KEY and FLOWER_BASIC_AUTH (user:password) from the environment.
    """
    for name in ("BROKER_URL", "FLOWER_BASIC_AUTH"):
        if not os.environ.get(name):
            raise click.ClickException(f"{name} is not set")
    if not extras.has_flower():
        raise click.ClickException("Flower is not installed: run pip install 'ferryman[flower]'")
    _become(commands.build_flower_command(host, port), {})


def _become(command: tuple[str, ...], environment: Mapping[str, str]) -> None:
    """Replace this process, so that signals and the exit code are the command's own."""
    sys.stdout.flush()
    os.chdir(commands.PROJECT_ROOT)
    os.execve(command[0], command, {**os.environ, **environment})  # noqa: S606  # no shell is wanted
