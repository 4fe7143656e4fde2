"""The data directory of a stack: its layout, its lock and its secrets."""

import base64
import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from app.stack.errors import StackError

_PRIVATE_DIR = 0o700
_PASSAGE_DIR = 0o711  # for root, whose Postgres runs as another user and has its own place within
_PRIVATE_FILE = 0o600


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """The files and directories of a stack: data, secrets, logs, and the state while it runs."""

    root: Path

    @property
    def token_file(self) -> Path:
        """The API token of the command line."""
        return self.root / "token"

    @property
    def encryption_key_file(self) -> Path:
        """The Fernet key; without it the stored credentials can not be read."""
        return self.root / "encryption_key"

    @property
    def postgres(self) -> Path:
        """The database cluster."""
        return self.root / "postgres"

    @property
    def redis(self) -> Path:
        """The broker's append-only file."""
        return self.root / "redis"

    @property
    def logs(self) -> Path:
        """One log file per child."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """Sockets, pid files, the lock and the API's address, while the stack runs."""
        return self.root / "run"

    @property
    def api_url_file(self) -> Path:
        """The address of the API, while the stack runs; a copy of the directory may hold that of the original."""
        return self.run / "api-url"

    @property
    def broker_url_file(self) -> Path:
        """The user's own broker, while the stack runs; missing when the stack runs one."""
        return self.run / "broker-url"

    def create(self) -> None:
        """Create what is missing; raises StackError when the directory can not be written."""
        try:
            for directory in (self.root, self.run, self.redis, self.logs):
                directory.mkdir(parents=True, exist_ok=True, mode=_PRIVATE_DIR)
                _check_writable(directory)
            if os.geteuid() == 0:
                self.root.chmod(_PASSAGE_DIR)
                self.run.chmod(_PASSAGE_DIR)
        except OSError as error:
            raise StackError(f"the data directory {self.root} can not be written: {error.strerror}") from error

    def is_in_use(self) -> bool:
        """Whether a stack runs on this directory."""
        try:
            file = (self.run / "lock").open()
        except OSError:
            return False
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return True
        return False

    def lock(self) -> IO[str]:
        """Take the directory for this process until the returned file is closed."""
        file = (self.run / "lock").open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            file.close()
            raise StackError(
                f"a stack already runs on {self.root} (process {holder}); stop it, or choose another --data-dir"
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        return file

    def encryption_key(self) -> str:
        """Read the encryption key; create it at the first start."""
        if self.encryption_key_file.exists():
            return self.encryption_key_file.read_text().strip()
        if (self.postgres / "PG_VERSION").exists():
            raise StackError(
                f"{self.encryption_key_file} is missing, but the credentials in {self.postgres} can only be read "
                "with it; put it back, or choose another --data-dir"
            )
        key = base64.urlsafe_b64encode(os.urandom(32)).decode()
        write_private(self.encryption_key_file, key)
        return key


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read: complete and on disk, or not at all."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE_FILE), "w") as file:
        file.write(f"{text}\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _check_writable(directory: Path) -> None:
    probe = directory / f".probe-{os.getpid()}"
    probe.touch()
    probe.unlink()
