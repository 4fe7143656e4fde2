"""The two servers on either side of Ferryman in the demo, as supervised children like Ferryman's own."""

import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from app.client import ApiClient
from app.stack import sockets
from app.stack.child import ChildSpec
from app.stack.children import build_environment, is_answering
from app.stack.data_directory import DataDirectory
from app.stack.supervisor import Supervisor

_HOST = "127.0.0.1"
_PROJECT_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the servers are, and a client of each."""

    upstream_url: str
    receiver_url: str

    @property
    def upstream(self) -> ApiClient:
        """A client of the sample upstream."""
        return ApiClient(self.upstream_url)

    @property
    def receiver(self) -> ApiClient:
        """A client of the webhook receiver."""
        return ApiClient(self.receiver_url)


@contextmanager
def run_servers(data: DataDirectory, report: Callable[[str], None]) -> Iterator[Servers]:
    """Run the sample upstream and the webhook receiver; their logs lie with the stack's."""
    supervisor = Supervisor(run_dir=data.run, log_dir=data.logs, report=report)
    with _listen() as upstream, _listen() as receiver:
        try:
            supervisor.spawn(_build_child("sample_upstream", upstream), _build_child("webhook_receiver", receiver))
            supervisor.wait_until_ready()
            yield Servers(_build_url(upstream), _build_url(receiver))
        finally:
            supervisor.stop()


def _listen() -> socket.socket:
    # Handed down to the child, so that nobody can take the port in between.
    return sockets.listen(_HOST, 0, option="--port")


def _build_child(module: str, listener: socket.socket) -> ChildSpec:
    return ChildSpec(
        name=module.replace("_", "-"),
        command=(sys.executable, "-m", f"app.demo.{module}", "--fd", str(listener.fileno())),
        environment=build_environment(),
        working_dir=_PROJECT_ROOT,
        inherited_fds=(listener.fileno(),),
        is_ready=partial(is_answering, _HOST, listener.getsockname()[1], "/stats"),
        stop_seconds=3.0,
    )


def _build_url(listener: socket.socket) -> str:
    return f"http://{_HOST}:{listener.getsockname()[1]}"
