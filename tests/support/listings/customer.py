"""One account whose job lists a simulated upstream again and again, through the real services and the real source."""

import gc
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, text

from app.bootstrap.api import build_api_services
from app.bootstrap.shared import Outside
from app.engine.ids import new_id
from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.runs import SyncJobRun
from app.services.runs.requests import RunRequest
from app.sources.http_source import HttpSource
from app.store.catalog.tokens import TokenStore
from tests.support.listings.site import Answer, Asked, Site
from tests.support.listings.transports import BASE_URL, around
from tests.support.pump import Pump, World
from tests.support.pump_database import PumpDatabase
from tests.support.pump_jobs import Job

_SETTINGS: Mapping[str, Any] = {
    "request_attempts": 1,
    "retry_base_seconds": 0.001,
    # The guard against many deletions must not hide one that is wrong.
    "delete_limit_percent": 100.0,
    "children_per_unit": 500,
}


@dataclass
class ListsWorld(World):
    """A world whose daemons ask a site."""

    site: Site = field(default_factory=lambda: Site({}))

    def __post_init__(self) -> None:
        super().__post_init__()
        self.source = HttpSource(self.settings, around=lambda live: around(self._answer, live))

    def outside(self, engine: Engine) -> Outside:
        return Outside(engine=engine, dispatcher=self.mailbox, source=self.source, send=self.receiver.submit)

    def _answer(self, asked: Asked) -> Answer:
        return self.site.answer(asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a run came to, as its user sees it."""

    run: SyncJobRun
    errors: Mapping[str, Sequence[str]]
    """The codes by resource."""
    living: Mapping[str, set[str]]
    """The ids of the records that are kept, by resource."""
    deleted: Mapping[str, set[str]]
    site: Site

    def stats(self, resource: str) -> JsonObject:
        found: JsonObject = (self.run.resource_stats or {})[resource]["list"]
        return found


class Customer:
    """An integration, an account and a job."""

    def __init__(
        self,
        database: PumpDatabase,
        items: Sequence[JsonObject],
        methods: Mapping[str, JsonObject],
        **settings: Any,
    ) -> None:
        """``methods`` say how each resource is listed."""
        job = Job(name="lists", resources=items, api={})
        self.world = ListsWorld(database, job, limits={**_SETTINGS, **settings})
        self.environment: EnvironmentId = TokenStore(database.engine).ensure_environment(new_id())
        self._services = services = build_api_services(self.world.settings, self.world.outside(database.engine))
        resources = {name: {"list": method} for name, method in methods.items()}
        config = {"base_url": BASE_URL, "resources": resources}
        services.integrations.create(self.environment, {"name": "acme", "config": config})
        self.account = services.accounts.create(self.environment, {"integration_name": "acme", "tenant_id": "t"}).id
        self.job_id = services.jobs.create(self.environment, {"integration_name": "acme", "resources": list(items)}).id

    def run(self, site: Site, *, kill_before: int = 0, **request: Any) -> Ran:
        """Carry out a run against what the upstream is now."""
        asked = RunRequest(sync_job_id=self.job_id, integrated_account_id=self.account, **request)
        return self._ran(self._services.runs.create(self.environment, asked)[0].id, site, kill_before=kill_before)

    def create_webhook(self, **fields: Any) -> str:
        """Create a webhook whose receiver is the world's."""
        target = {"target_url": "http://memory.invalid", **fields}
        return self._services.webhooks.create(self.environment, target).id

    def resume(self, run_id: str, site: Site) -> Ran:
        """Ask again for what a run could not read."""
        return self._ran(self._services.runs.resume(self.environment, run_id, errors_only=True).id, site)

    def close(self) -> None:
        """Let go of the source."""
        self.world.source.close()

    def __enter__(self) -> "Customer":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _ran(self, run_id: str, site: Site, *, kill_before: int = 0) -> Ran:
        self.world.site = site
        with Pump(self.world, kill_before=kill_before) as pump:
            pump.run(run_id)
        if kill_before:
            _collect_connections()
        return Ran(
            run=self._services.runs.get(self.environment, run_id),
            errors=_grouped(self._rows("select resource, code from run_error where run_id = :id", run_id)),
            living=_sets(self._rows(_RECORDS.format(is_deleted="deleted_at is null"), self.account)),
            deleted=_sets(self._rows(_RECORDS.format(is_deleted="deleted_at is not null"), self.account)),
            site=site,
        )

    def _rows(self, sql: str, id: str) -> list[tuple[str, str]]:
        with self.world.database.engine.connect() as connection:
            return [(row[0], row[1]) for row in connection.execute(text(sql), {"id": id})]


def _collect_connections() -> None:
    """Collect the connection of a daemon that has died here, as the end of a process does, and not in a later test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


_RECORDS = "select resource, remote_id from record where integrated_account_id = :id and {is_deleted}"


def _grouped(rows: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in rows:
        found.setdefault(name, []).append(value)
    return {name: sorted(values) for name, values in found.items()}


def _sets(rows: Sequence[tuple[str, str]]) -> dict[str, set[str]]:
    return {name: set(values) for name, values in _grouped(rows).items()}
