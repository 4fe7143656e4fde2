"""A daemon is killed from the dashboard only where an operator allows it, by an admin, and only on this machine."""

import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, insert

from app.api.application import create_app
from app.api.resources.services import ApiServices
from app.engine.ids import new_id
from app.engine.objects.environments import EnvironmentId, Role
from app.services.dashboard.killing import DaemonKiller
from app.settings import Settings
from app.store import tables
from app.ui.mounting import mount
from tests.integration.ui.visiting import Seen, Visitor


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """A process that stands for a daemon: its command line names celery."""
    with subprocess.Popen([sys.executable, "-c", "input()", "celery"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


@pytest.fixture
def enrol(engine: Engine) -> Iterator[Callable[..., str]]:
    ids = []

    def write(**metadata: Any) -> str:
        ids.append(new_id())
        row = {"id": ids[-1], "label": "a daemon", "group_key": "g", "status": "active", "metadata": metadata}
        with engine.begin() as connection:
            connection.execute(insert(tables.daemon).values(row))
        return ids[-1]

    yield write
    with engine.begin() as connection:
        connection.execute(tables.daemon.delete().where(tables.daemon.c.id.in_(ids)))


@pytest.fixture
def kill(services: ApiServices, settings: Settings, environment_id: EnvironmentId) -> Callable[..., Seen]:
    allowing = replace(services.dashboard, killer=DaemonKiller(services.reading.daemons))
    app = mount(create_app(replace(services, dashboard=allowing), settings))

    def call(daemon_id: str, role: Role = Role.ADMIN) -> Seen:
        visitor = Visitor(app.test_client())
        visitor.sign_in(services.tokens.create(environment_id, "t", role=role)[1])
        return visitor.post(f"/ui/fleet/{daemon_id}/kill")

    return call


def test_admin_kills_a_daemon_of_this_machine(
    process: subprocess.Popen[bytes], enrol: Callable[..., str], kill: Callable[..., Seen]
) -> None:
    daemon = enrol(hostname=socket.gethostname(), pid=process.pid)

    assert kill(daemon, Role.RUN).status == 403
    assert process.poll() is None
    assert kill(daemon).status == 303
    assert process.wait(10) == -signal.SIGKILL


def test_nothing_else_is_killed(
    process: subprocess.Popen[bytes], enrol: Callable[..., str], kill: Callable[..., Seen], admin: Visitor
) -> None:
    own = socket.gethostname()
    elsewhere, none, strange = (
        enrol(hostname="elsewhere", pid=process.pid),
        enrol(hostname=own),
        enrol(hostname=own, pid=1),
    )
    daemon = enrol(hostname=own, pid=process.pid)

    assert [kill(one).status for one in (elsewhere, none, strange, "nobody")] == [400, 400, 400, 404]
    assert admin.post(f"/ui/fleet/{daemon}/kill").status == 403
    assert "Kill" not in admin.get("/ui/fleet").words
    assert process.poll() is None
