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
from tests.integration.api.calling import CONFIG, RESOURCES, Caller
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
        row = {
            "id": ids[-1],
            "label": "a daemon",
            "group_key": metadata.pop("group", "g"),
            "status": "active",
            "metadata": metadata,
        }
        with engine.begin() as connection:
            connection.execute(insert(tables.daemon).values(row))
        return ids[-1]

    yield write
    with engine.begin() as connection:
        connection.execute(tables.daemon.delete().where(tables.daemon.c.id.in_(ids)))


@pytest.fixture
def visit(services: ApiServices, settings: Settings, environment_id: EnvironmentId) -> Callable[[Role], Visitor]:
    """Sign in somebody of a role where daemons may be killed."""
    allowing = replace(services.dashboard, killer=DaemonKiller(services.reading.daemons))
    app = mount(create_app(replace(services, dashboard=allowing), settings))

    def sign_in(role: Role) -> Visitor:
        visitor = Visitor(app.test_client())
        visitor.sign_in(services.tokens.create(environment_id, "t", role=role)[1])
        return visitor

    return sign_in


@pytest.fixture
def kill(visit: Callable[[Role], Visitor]) -> Callable[..., Seen]:
    return lambda daemon_id, role=Role.ADMIN: visit(role).post(f"/ui/fleet/{daemon_id}/kill")


def start_run(api: Caller, *, group: str) -> str:
    api.post("/integration", {"name": "acme", "config": CONFIG})
    account = api.post("/integrated-account", {"integration_name": "acme", "tenant_id": "t"}).body["id"]
    job = api.post("/sync-job", {"integration_name": "acme", "resources": RESOURCES}).body["id"]
    body = {"sync_job_id": job, "integrated_account_id": account, "daemon_group_key": group}
    return str(api.post("/sync-job-run", body).body["id"])


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


def test_page_of_a_live_run_kills_and_stays(
    process: subprocess.Popen[bytes],
    enrol: Callable[..., str],
    visit: Callable[[Role], Visitor],
    api: Caller,
    engine: Engine,
) -> None:
    own = {"hostname": socket.gethostname(), "pid": process.pid}
    mortal, other = enrol(**own, group="g"), enrol(**{**own, "hostname": "elsewhere"})
    run_id = start_run(api, group="g")
    admin, page, button = visit(Role.ADMIN), f"/ui/runs/{run_id}", f"/ui/fleet/{mortal}/kill"

    seen = admin.get(page)
    assert button in seen.text
    assert f"/ui/fleet/{other}/kill" not in seen.text
    assert "Kill" not in visit(Role.RUN).get(page).words
    done = admin.post(button, run=run_id)
    assert done.headers["Location"].endswith(page)
    assert process.wait(10) == -signal.SIGKILL

    assert "Kill" not in admin.part(f"{page}/live").words
    assert admin.post(f"/ui/fleet/{mortal}/kill", run="//elsewhere.example").status == 400
