"""Count the code on the path of one run: ``make run-path`` prints its modules, and how long they are.

A real daemon in this process executes a run of one page that is kept, from the POST to its last commit. A module
is on the path where one of its functions is executed meanwhile: what is executed when a module is imported does not
count. Each is printed with its lines, those of the functions that were executed, and those that were executed.
The API and what talks to upstreams are left out, and the daemon does nothing periodic meanwhile.
"""

import os
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from signal import SIGTERM
from types import CodeType, FrameType
from typing import Any, Final

from cryptography.fernet import Fernet
from sqlalchemy import Engine, text

from app.api.application import create_app
from app.bootstrap.api import build_api_services
from app.engine.json_types import JsonObject
from app.net.addresses import LOOPBACK
from app.settings import read_environment
from app.stack.commands import build_daemon_command
from app.store.db.database import connect
from tests.support.patience import wait_for
from tests.support.process_nodes import RedisContainer
from tests.support.servers import running_postgres
from tests.support.upstream import Upstream
from tests.support.workspace import CURSOR_PAGES, listed

ROOT: Final = Path(__file__).parents[1]
LEFT_OUT: Final = ("app/api/", "app/sources/")
_OURS: Final = (f"{ROOT}/app/", f"{ROOT}/workers/")
_IS_FUNCTION: Final = 0x1
"""The flag of a code object that is a function's, not a module's or a class's."""
_IN_PEACE: Final = {
    "FERRYMAN_SWEEP_SECONDS": "600",
    "FERRYMAN_HEARTBEAT_SECONDS": "600",
    "FERRYMAN_DAEMON_SILENCE_SECONDS": "3600",
    "FERRYMAN_DEAF_SECONDS": "3600",
    "FERRYMAN_ALLOWED_NETWORKS": LOOPBACK,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleOnPath:
    """How much of a module is on the path, in lines."""

    name: str
    whole: int
    of_functions: int
    """Those of the functions that were executed, from ``def`` to their end."""
    executed: int


class Recorder:
    """Records which lines of functions are executed, in all threads that begin after ``install``."""

    def __init__(self) -> None:
        self.lines: dict[CodeType, set[int]] = defaultdict(set)
        self.is_on = False

    def install(self) -> None:
        """Watch from now on; nothing is recorded before ``is_on``."""
        threading.settrace(self._record)
        sys.settrace(self._record)

    def _record(self, frame: FrameType, _event: str, _argument: object) -> Any:
        if not self.is_on or not frame.f_code.co_filename.startswith(_OURS):
            return None
        self.lines[frame.f_code].add(frame.f_lineno)
        return self._record

    def list_modules(self) -> list[ModuleOnPath]:
        """Return the modules of which a function was executed, in the order of their names."""
        codes: dict[str, list[CodeType]] = defaultdict(list)
        for code in self.lines:
            name = Path(code.co_filename).relative_to(ROOT).as_posix()
            if code.co_flags & _IS_FUNCTION and not name.startswith(LEFT_OUT):
                codes[name].append(code)
        return [self._measure(name, codes[name]) for name in sorted(codes)]

    def _measure(self, name: str, codes: Sequence[CodeType]) -> ModuleOnPath:
        spans = {line for code in codes for line in _span(code)}
        executed = {line for code in codes for line in self.lines[code]}
        whole = len((ROOT / name).read_text().splitlines())
        return ModuleOnPath(name=name, whole=whole, of_functions=len(spans), executed=len(executed))


def _span(code: CodeType) -> range:
    last = max(line for _, _, line in code.co_lines() if line is not None)
    return range(code.co_firstlineno, last + 1)


def post_run(recorder: Recorder, upstream: Upstream) -> None:
    """Make what a run needs, then post one and wait until it has ended."""
    settings = read_environment()
    services = build_api_services(settings)
    _, token = services.tokens.create(services.tokens.default_environment(), "path")
    client = create_app(services, settings).test_client()

    def post(path: str, body: JsonObject) -> str:
        answer = client.post(path, json=body, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 201, answer.text
        return str(answer.json["id"])

    post("/integration", {"name": "acme", "config": {"base_url": upstream.url, **CURSOR_PAGES}})
    account = post("/integrated-account", {"integration_name": "acme", "tenant_id": "tenant"})
    job = post("/sync-job", {"integration_name": "acme", "resources": [listed("tickets")]})
    engine = connect(settings.database_url, pool_size=1)
    # Daemon and API have their connections, and have read what they keep of a job: the path is that of any later run.
    for recorder.is_on in (False, True):
        run = post("/sync-job-run", {"sync_job_id": job, "integrated_account_id": account})
        wait_for(partial(_is_completed, engine, run), what="the run's end")
        time.sleep(0.5)
    recorder.is_on = False
    engine.dispose()
    services.close()


def _is_completed(engine: Engine, run_id: str) -> bool:
    with engine.begin() as connection:
        status = connection.execute(text("select status from sync_job_run where id = :id"), {"id": run_id}).scalar()
    return bool(status == "completed")


def main() -> None:
    """Run a daemon and a run, and print what was executed."""
    recorder, upstream, failed = Recorder(), Upstream(), []
    upstream.lists("/tickets", [{"id": number} for number in range(10)])
    with tempfile.TemporaryDirectory(prefix="ferryman-path-") as name:
        redis = RedisContainer(Path(name) / "redis")
        with running_postgres(Path(name) / "servers") as postgres, postgres.fresh_database() as url:
            redis.start()
            redis.ready()
            broker, key = redis.celeryconfig["url"], Fernet.generate_key().decode()
            os.environ |= {**_IN_PEACE, "DATABASE_URL": url, "BROKER_URL": broker, "FERRYMAN_ENCRYPTION_KEY": key}
            recorder.install()
            _run_daemon(lambda: post_run(recorder, upstream), failed)
        redis.teardown()
    upstream.close()
    modules = recorder.list_modules()
    # Not to Celery's log, which has taken the place of what is printed.
    for module in modules:
        print(f"{module.whole:5} {module.of_functions:5} {module.executed:5} {module.name}", file=sys.__stdout__)
    whole, of_functions, executed = (
        sum(getattr(module, count) for module in modules) for count in ("whole", "of_functions", "executed")
    )
    print(
        f"{whole} lines in {len(modules)} modules; {of_functions} in the functions that were executed,"
        f" {executed} of them executed",
        file=sys.__stdout__,
    )
    if failed:
        raise failed[0]


def _run_daemon(act: Callable[[], None], failed: list[BaseException]) -> None:
    """Be a daemon until ``act``, in another thread, is over."""
    from celery import signals  # Celery reads the environment when it is imported

    from workers.celery_app import app

    def act_and_stop(**_: object) -> None:
        try:
            act()
        except BaseException as error:
            failed.append(error)
        finally:
            os.kill(os.getpid(), SIGTERM)

    signals.worker_ready.connect(lambda **_: threading.Thread(target=act_and_stop).start(), weak=False)
    words = build_daemon_command("path", group="default", concurrency=2)
    app.worker_main(["worker", *words[words.index("workers.celery_app") + 1 :]])


if __name__ == "__main__":
    main()
