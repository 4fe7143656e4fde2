"""An environment with two accounts, and a daemon that leads, on the database of the proofs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import text

from app.bootstrap.api import build_api_services
from app.bootstrap.daemon import DaemonServices, build_daemon_services
from app.engine.ids import new_id
from app.engine.objects.environments import EnvironmentId
from app.services.runs.requests import RunRequest
from app.store.catalog.tokens import TokenStore
from tests.support.patience import wait_for
from tests.support.pump import Mailbox, World, sweep
from tests.support.pump_database import PumpDatabase
from tests.support.pump_jobs import JOBS

_LEFT_OVER = (
    "delete from sync_job_run where environment_id = :id",
    "delete from sync_job_cron_trigger where environment_id = :id",
    "delete from outbox",
)


@dataclass
class ChoosyMailbox(Mailbox):
    """A broker that can not even write down what is sent to one queue."""

    poisoned: str = ""

    def publish(self, task: str, args: list[str], *, queue: str) -> bool:
        if queue == self.poisoned:
            raise ValueError(f"no name of a queue: {queue}")
        return super().publish(task, args, queue=queue)


@dataclass
class LedPlace:
    """An environment with two of everything, of which one is to be poisoned, and the daemon that leads."""

    database: PumpDatabase
    daemon: DaemonServices = field(init=False)

    def __post_init__(self) -> None:
        self.world = World(self.database, JOBS[0])
        self.mailbox = self.world.mailbox = ChoosyMailbox()
        self.engine = self.database.engine
        self.services = build_api_services(self.world.settings, self.world.outside(self.engine))
        self.environment: EnvironmentId = TokenStore(self.engine).ensure_environment(new_id())
        config = {"base_url": "http://memory.invalid"}
        self.services.integrations.create(self.environment, {"name": "acme", "config": config})
        self.poisoned, self.sound = (self._account() for _ in range(2))
        resources = [{"resource": "users", "method": "list"}]
        self.job = self.services.jobs.create(self.environment, {"integration_name": "acme", "resources": resources}).id

    def _account(self) -> str:
        body = {"integration_name": "acme", "tenant_id": "t", "context": {"api_key": "k"}}
        return self.services.accounts.create(self.environment, body).id

    def run(self, account_id: str) -> str:
        request = RunRequest(sync_job_id=self.job, integrated_account_id=account_id, args={})
        return self.services.runs.create(self.environment, request)[0].id

    def runs(self) -> tuple[str, str]:
        """Make the poisoned run, which comes first everywhere, and the sound one; their messages are lost."""
        made = self.run(self.poisoned), self.run(self.sound)
        self.execute("delete from outbox", "")
        self.mailbox.waiting.clear()
        self.mailbox.sent.clear()
        return made

    def execute(self, statement: str, id: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement), {"id": id} if ":id" in statement else {})

    def sweep_until(self, is_so: Callable[[], bool], what: str) -> None:
        def look() -> bool:
            sweep(self.daemon)
            return is_so()

        wait_for(look, what=what)

    def errors_of(self, run_id: str) -> list[str]:
        page = self.services.runs.list_errors(self.environment, run_id, limit=100, cursor=None)
        return [error.message for error in page.result]

    def status_of(self, run_id: str) -> str:
        return self.services.runs.get(self.environment, run_id).status


@contextmanager
def led_place(database: PumpDatabase) -> Iterator[LedPlace]:
    """Make one, and remove what would keep a later leader busy."""
    place = LedPlace(database)
    place.daemon = build_daemon_services(place.world.settings, place.world.outside(place.engine))
    wait_for(place.daemon.leadership.is_held, what="the lead")
    try:
        yield place
    finally:
        place.daemon.leadership.resign()
        for statement in _LEFT_OVER:
            place.execute(statement, place.environment)
