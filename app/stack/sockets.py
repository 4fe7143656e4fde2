"""Where the stack listens: directories for unix sockets, and TCP addresses that must be free."""

import hashlib
import os
import re
import socket
import stat
from pathlib import Path

from app.stack.errors import StackError
from app.stack.processes import identify_directory

_PLAIN_PATH = re.compile(r"[A-Za-z0-9_./-]+")
_PRIVATE_DIR = 0o700


def choose_directory(run_dir: Path, longest_name: str) -> Path:
    """Choose a directory whose sockets can be bound: ``run_dir``, else one of its own below /tmp.

    A socket's path may have 107 bytes, some file systems (shared folders) take no sockets at all, and a path with
    a space or another special character is parsed differently in the URLs that contain it.
    """
    if _PLAIN_PATH.fullmatch(str(run_dir)) and _can_hold_sockets(run_dir, longest_name):
        return run_dir
    # By the directory's identity, not its path, at which another one may be while a stack runs on this one.
    digest = hashlib.sha256(identify_directory(run_dir).encode()).hexdigest()[:12]
    fallback = Path("/tmp") / f"ferryman-{os.getuid()}-{digest}"  # noqa: S108  # owner and mode are checked
    _create_own(fallback)
    if not _can_hold_sockets(fallback, longest_name):
        raise StackError(f"neither {run_dir} nor {fallback} can hold unix sockets; choose a shorter --data-dir")
    return fallback


def listen(host: str, port: int, *, option: str) -> socket.socket:
    """Take a TCP address (port 0: any free one) and listen on it; raises StackError when it is not free."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise StackError(f"can not listen on {host}: {error.strerror}") from error
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(512)
    except OSError as error:
        listener.close()
        raise StackError(f"can not listen on {host} port {port}: {error.strerror}; choose another {option}") from error
    return listener


def _can_hold_sockets(directory: Path, name: str) -> bool:
    path = directory / name
    path.parent.mkdir(exist_ok=True)
    probe = path.with_name(path.name[:-1] + "?")  # as long, but never a live server's
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.bind(str(probe))
        except OSError:
            return False
        finally:
            probe.unlink(missing_ok=True)
    return True


def _create_own(directory: Path) -> None:
    directory.mkdir(exist_ok=True, mode=_PRIVATE_DIR)
    status = directory.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise StackError(f"{directory} belongs to another user; remove it, or choose a shorter --data-dir")
    directory.chmod(_PRIVATE_DIR)
