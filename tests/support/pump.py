"""Drive the real services on a real database in this process: messages are values here, and somebody pumps them.

A daemon does the same through Celery: a task calls a service, and signals before and after it move the run. Here a
message may be lost, doubled, late or out of order, and the process that handles it may die at any commit.
"""

import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from celery.canvas import Signature
from cryptography.fernet import Fernet
from sqlalchemy import Engine

from app.bootstrap.api import build_api_services
from app.bootstrap.daemon import DaemonServices, build_daemon_services
from app.bootstrap.shared import Outside
from app.broker import tasks
from app.engine.errors import StoreUnavailableError
from app.engine.ids import new_id
from app.engine.objects.environments import EnvironmentId
from app.engine.runs.work import WakeUp
from app.services.maintenance.duties import start_here
from app.services.ports import QueueState
from app.services.runs.requests import RunRequest
from app.services.runs.start import RunStart
from app.settings import Settings
from app.store.catalog.tokens import TokenStore
from app.store.db.database import connect
from tests.support.patience import wait_for
from tests.support.pump_database import Commits, KilledError, Outcome, PumpDatabase
from tests.support.pump_jobs import Job, MemoryApi, MemoryReceiver
from workers import canvas

_MOST_STEPS = 1000
_KEY = Fernet.generate_key().decode()


@dataclass(frozen=True, slots=True)
class Message:
    """A task to do, and those that a success of it leads to."""

    task: str
    args: tuple[str, ...]
    then: tuple["Message", ...] = ()


@dataclass
class Mailbox:
    """The broker: it keeps messages in order, unless a test wants it otherwise."""

    waiting: list[Message] = field(default_factory=list)
    sent: list[Message] = field(default_factory=list)
    copies: int = 1
    """How often each message comes."""
    only_sweeper: bool = False
    """Loses every message but the sweeper's."""
    is_sweeping: bool = False
    chance: random.Random | None = None
    """Chooses the next message, which else is the oldest."""

    def send(self, *messages: Message) -> None:
        self.sent.extend(messages)
        if self.only_sweeper and not self.is_sweeping:
            return
        self.waiting.extend(message for message in messages for _ in range(self.copies))

    def take(self) -> Message | None:
        if not self.waiting:
            return None
        return self.waiting.pop(self.chance.randrange(len(self.waiting)) if self.chance else 0)

    def dispatch(self, wake_ups: Sequence[WakeUp]) -> None:
        self.send(*(Message(tasks.SYNC_UNIT, (dispatch.run_id, dispatch.unit_id)) for dispatch in wake_ups))

    def dispatch_run(self, run_id: str, *, queue: str) -> bool:
        return self.publish(tasks.START_RUN, [run_id], queue=queue)

    def dispatch_again(self, run_id: str, unit_id: str | None, *, queue: str) -> bool:
        if unit_id is None:
            return self.publish(tasks.START_RUN, [run_id], queue=queue)
        return self.publish(tasks.SYNC_UNIT, [run_id, unit_id], queue=queue)

    def publish(self, task: str, args: list[str], *, queue: str) -> bool:
        self.send(Message(task, tuple(args)))
        return True

    def look_at(self, queues: Sequence[str]) -> dict[str, QueueState]:
        return {queue: QueueState(is_empty=not self.waiting) for queue in queues}

    def is_reachable(self) -> bool:
        return True


@dataclass
class World:
    """What lies outside of the processes, as one run meets it."""

    database: PumpDatabase
    job: Job
    mailbox: Mailbox = field(default_factory=Mailbox)
    receiver: MemoryReceiver = field(default_factory=MemoryReceiver)
    limits: dict[str, Any] = field(default_factory=dict)
    """Settings."""

    def __post_init__(self) -> None:
        self.database.prune_announcements()
        self.api = MemoryApi(self.job)
        small = {
            **{"requests_per_account": 2, "children_per_unit": 2, "delivery_backlog": 2},
            # A page is a batch; nobody waits for more by a thread of its own.
            **{"delivery_merge_records": 0, "delivery_linger_seconds": 0.0},
        }
        self.settings = Settings(
            session_database_url=self.database.session_url,
            database_url=self.database.url,
            broker_url="memory://",
            encryption_key=_KEY,
            **{**small, **self.job.limits, **self.limits},
        )

    def outside(self, engine: Engine) -> Outside:
        """Return what a process of this world reaches."""
        return Outside(
            engine=engine, dispatcher=self.mailbox, source=self.api, send=self.receiver.submit, start_duty=start_here
        )

    def prepare(self, environment: EnvironmentId) -> None:
        """Make what else a job needs."""

    def post(self) -> str:
        """Create the job's run through the API's services, in an environment of its own; give the run's id."""
        engine = self.database.engine
        services = build_api_services(self.settings, self.outside(engine))
        environment: EnvironmentId = TokenStore(engine).ensure_environment(new_id())
        config = {"base_url": "http://memory.invalid"}
        services.integrations.create(environment, {"name": "acme", "config": config})
        self.prepare(environment)
        account = services.accounts.create(environment, {"integration_name": "acme", "tenant_id": "tenant"})
        job = services.jobs.create(environment, {"integration_name": "acme", "resources": list(self.job.resources)})
        webhook_id = None
        if self.job.to_webhook:
            webhook_id = services.webhooks.create(environment, {"target_url": "http://memory.invalid"}).id
        request = RunRequest(
            sync_job_id=job.id,
            integrated_account_id=account.id,
            args=self.job.args,
            webhook_id=webhook_id,
            error_handling=self.job.error_handling,
        )
        run, _ = services.runs.create(environment, request)
        return run.id


class Pump:
    """One daemon at a time, which is followed by a fresh one when it dies."""

    def __init__(self, world: World, *, kill_before: int = 0, kill_after: int = 0) -> None:
        self.world = world
        self.kills = 0
        self._engine = connect(world.database.url, pool_size=2)
        self.commits = Commits(self._engine)
        self.commits.kill_before, self.commits.kill_after = kill_before, kill_after
        self.daemon = self._fresh_daemon()

    def __enter__(self) -> "Pump":
        return self

    def __exit__(self, *exception: object) -> None:
        self._end_daemon()
        self._engine.dispose()

    def run(self, run_id: str) -> Outcome:
        """Pump until nothing is left of the run, and tell what it came to."""
        database = self.world.database
        for _ in range(_MOST_STEPS):
            if message := self.world.mailbox.take():
                self._survive(lambda: handle(self.daemon, self.world.mailbox, message))
            elif database.is_over(run_id):
                return database.outcome(run_id)
            else:
                database.pass_time(run_id)
                self.sweep()
        raise AssertionError(f"the run came to no end: {database.outcome(run_id)}")

    def sweep(self) -> None:
        """Do what the leader does every second."""
        wait_for(self._lead, what="the lead")
        self.world.mailbox.is_sweeping = True
        self._survive(lambda: sweep(self.daemon))
        self.world.mailbox.is_sweeping = False

    def _lead(self) -> bool:
        """Try to lead; a daemon that came too early is replaced, as it would wait for seconds before its next try."""
        if not self.daemon.leadership.is_held():
            self._replace_daemon()
        return self.daemon.leadership.is_held()

    def _survive(self, act: Callable[[], object]) -> None:
        try:
            act()
        except KilledError:
            self.kills += 1
            self._replace_daemon()

    def _replace_daemon(self) -> None:
        self._end_daemon()
        self.daemon = self._fresh_daemon()

    def _end_daemon(self) -> None:
        """Let a daemon end as a process does, which takes its sessions with it and keeps no lease."""
        # A duty that is under way would connect anew once all sessions are closed.
        self.daemon.sweeper.wait(30.0)
        self.daemon.leadership.resign()
        self.daemon.worker._keeper._kept.clear()

    def _fresh_daemon(self) -> DaemonServices:
        return build_daemon_services(self.world.settings, self.world.outside(self._engine))


def sweep(daemon: DaemonServices) -> None:
    """Sweep if the daemon leads; a leader whose session Postgres has ended sweeps the next time."""
    with suppress(StoreUnavailableError):
        if daemon.leadership.is_held():
            daemon.sweeper.sweep()


def handle(daemon: DaemonServices, mailbox: Mailbox, message: Message) -> None:
    """Do what a Celery worker does with a message: task_prerun, the task, task_success, the rest of its chain."""
    run_id, *row_ids = message.args
    match message.task:
        case tasks.START_RUN:
            daemon.lifecycle.mark_running(run_id, daemon_id="pump")
            start = daemon.lifecycle.start(run_id)
            mailbox.send(*(_first_messages(start) if start else ()))
            may_settle = True
        case tasks.SYNC_RESOURCE:
            may_settle = daemon.worker.work_on_resource(row_ids[0]).may_settle
        case tasks.SYNC_UNIT:
            may_settle = daemon.worker.work(row_ids[0]).may_settle
        case unknown:
            raise AssertionError(f"nobody handles {unknown}")
    mailbox.send(*message.then)
    if may_settle:
        daemon.lifecycle.settle(run_id)


def _first_messages(start: RunStart) -> Sequence[Message]:
    return _messages(canvas.build(start), ())


def _messages(signature: Signature, then: tuple[Message, ...]) -> tuple[Message, ...]:
    """Take a canvas apart: a chain's later tasks follow its first one, a group's are side by side."""
    match signature.get("task"):
        case "celery.chain":
            for part in reversed(signature.tasks):
                then = _messages(part, then)
            return then
        case "celery.group":
            return tuple(message for part in signature.tasks for message in _messages(part, then))
        case task:
            return (Message(task, tuple(signature.args), then),)
