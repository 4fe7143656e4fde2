"""The settings by which a process joins the stack of a data directory."""

import os
import shutil
from pathlib import Path

from app.net import addresses
from app.stack import daemon_names, given_broker, postgres, redis, sockets
from app.stack.data_directory import DataDirectory
from app.stack.errors import StackError


def server_environment(data: DataDirectory) -> dict[str, str]:
    """Return the settings by which a process joins the stack of a data directory."""
    place = socket_root(data)
    return {
        "DATABASE_URL": postgres.database_url(place),
        # One that the caller has would lead to another database.
        "FERRYMAN_SESSION_DATABASE_URL": "",
        "BROKER_URL": given_broker.url_of(data) or redis.broker_url(place),
        "FERRYMAN_ENCRYPTION_KEY": data.encryption_key(),
        daemon_names.PLACE: str(data.run / "names"),
        addresses.ALLOWED_NETWORKS_SETTING: os.environ.get(addresses.ALLOWED_NETWORKS_SETTING) or addresses.LOOPBACK,
    }


def joining_environment(data_dir: Path) -> dict[str, str]:
    """Return the settings by which a process joins the stack that runs on a directory; StackError if none runs."""
    data = DataDirectory(data_dir.expanduser().resolve())
    if not data.is_in_use():
        raise StackError(f"no stack runs on {data.root}; start one by 'ferryman up --data-dir {data_dir}'")
    return server_environment(data)


def socket_root(data: DataDirectory) -> Path:
    """Return where the sockets of Postgres and Redis lie."""
    return sockets.socket_directory(data.run, postgres.SOCKET_NAME)


def remove_own_socket_directory(data: DataDirectory) -> None:
    """Remove the directory of sockets if it had to lie outside the data directory."""
    if (place := socket_root(data)) != data.run:
        shutil.rmtree(place, ignore_errors=True)
