"""An S3 server for destinations: rclone's, which keeps objects as files and checks signatures."""

import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.engine.json_types import JsonObject
from bench.measurement import BenchError
from bench.servers.running import process

BUCKET: Final = "records"
KEYS: Final = {"access_key_id": "ferryman", "secret_access_key": "sesame-sesame"}
_READY_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectStore:
    """A running server with one bucket."""

    url: str
    folder: Path
    """Where the bucket's objects are files."""

    @property
    def config(self) -> JsonObject:
        """Where it is, for a datastore."""
        return {"bucket": BUCKET, "base_url": self.url, "region": "us-east-1", **KEYS}


@contextmanager
def running_object_store() -> Iterator[ObjectStore]:
    """Run a server for as long as a block lasts."""
    program = shutil.which("rclone", path=str(Path(sys.executable).parent))
    if program is None:
        raise BenchError("there is no rclone: it comes with the development tools (make check-static installs them)")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    with tempfile.TemporaryDirectory(prefix="ferryman-bench-store-") as root:
        folder = Path(root) / BUCKET
        folder.mkdir()
        address, keys = f"127.0.0.1:{port}", ",".join(KEYS.values())
        command = [program, "serve", "s3", "--addr", address, "--auth-key", keys, "--config", "/dev/null", root]
        with process(command):
            _await_port(port)
            yield ObjectStore(url=f"http://{address}", folder=folder)


def _await_port(port: int) -> None:
    until = time.monotonic() + _READY_SECONDS
    while time.monotonic() < until:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.05)
    raise BenchError("the object store did not come up")
