"""A run that is to survive: how far it is, what is left of it, and whether nothing was lost and nothing doubled."""

import json
from collections import Counter
from dataclasses import dataclass, field
from urllib.request import urlopen

import psycopg

from app.client import ApiError
from app.engine.json_types import JsonObject
from tests.chaos.outside_world import all_pages, everything
from tests.support.patience import wait_for
from tests.support.workspace import Sync, Workspace, child_of, listed

RECOVERY_SECONDS = 60.0
_REQUESTS_IN_FLIGHT = 16

_LIVE_UNITS = """
    select count(*) filter (where status in ('ready', 'leased', 'blocked')),
           count(*) filter (where lease_expires_at is not null),
           count(*) filter (where wake_at > now() and status <> 'done')
      from unit where run_id = %s
"""

_PENDING_DELIVERIES = "select count(*) from delivery where run_id = %s and status = 'pending'"


@dataclass(frozen=True, slots=True)
class SyncUnderFire:
    """One run in a world of its own."""

    sync: Sync
    seed: str
    world_url: str
    run_id: str
    database_url: str = field(repr=False)
    has_webhook: bool

    @property
    def ledger(self) -> JsonObject:
        """Read all that the upstream was asked and the receiver was sent."""
        return _read(f"{self.world_url}/ledger")

    @property
    def counts(self) -> JsonObject:
        """Read the ledger's totals, which are quickly read."""
        return _read(f"{self.world_url}/counts")

    @property
    def asked(self) -> int:
        """Count the requests that the upstream got."""
        return int(self.counts["asked"])

    @property
    def has_repeats(self) -> bool:
        """Claim that a page was asked for again."""
        return bool(self.counts["asked"] > self.counts["pages"])

    @property
    def status(self) -> str:
        """Read the run's status; empty while the API is away."""
        try:
            return self.sync.status(self.run_id)
        except ApiError:
            return ""

    def wait_until_asked(self, requests: int) -> None:
        """Wait until the upstream has got so many requests."""
        wait_for(lambda: self.asked >= requests, RECOVERY_SECONDS, what=f"{requests} requests")

    def wait_until_quiet(self, seconds: float) -> None:
        """Wait until the upstream has not been asked for so long."""
        wait_for(lambda: self.counts["idle_seconds"] > seconds, RECOVERY_SECONDS, what="silence")

    def wait_for_end(self) -> None:
        """Wait until the run is over and, if it has a webhook, its last event was taken down as delivered."""
        final = {"completed", "failed", "stopped"}
        wait_for(lambda: self.status in final, RECOVERY_SECONDS, what=f"the end of run {self.run_id}")
        wait_for(lambda: not any(self.leftovers().values()), RECOVERY_SECONDS, what=f"a clean end: {self.leftovers()}")

    def leftovers(self) -> dict[str, int]:
        """Count what a run must not leave behind."""
        with psycopg.connect(self.database_url) as connection:
            live, leases, timers = connection.execute(_LIVE_UNITS, [self.run_id]).fetchone() or (0, 0, 0)
            (deliveries,) = connection.execute(_PENDING_DELIVERIES, [self.run_id]).fetchone() or (0,)
        return {"live units": live, "leases": leases, "timers": timers, "deliveries": deliveries}

    def rows(self) -> dict[tuple[str, str], JsonObject]:
        """Read the account's records straight from Postgres."""
        query = "select resource, remote_id, data from record where integrated_account_id = %s"
        with psycopg.connect(self.database_url) as connection:
            rows = connection.execute(query, [self.sync.account_id]).fetchall()
        return {(resource, id): data for resource, id, data in rows}

    def assert_exact(self, *, kills: int) -> None:
        """Assert that the run lost nothing and doubled nothing, and repeated little."""
        self.wait_for_end()
        run = self.sync.show(self.run_id)
        assert (run["status"], run["error"], self.sync.errors(self.run_id)) == ("completed", None, [])
        self._assert_books(run)
        (self._assert_delivered if self.has_webhook else self._assert_stored)()
        self._assert_few_repeats(kills)

    def _assert_books(self, run: JsonObject) -> None:
        held = {resource: len(records) for resource, records in everything(self.seed).items()}
        kept = ("queued", "delivered") if self.has_webhook else ("created",)
        for name in ("fetched", "persisted", *kept):
            assert {resource: run["resource_stats"][resource]["list"][name] for resource in held} == held, name
        pages = sum(run["resource_stats"][resource]["list"]["pages"] for resource in held)
        assert pages == len(all_pages())

    def _assert_stored(self) -> None:
        expected = everything(self.seed)
        assert self.rows() == {(resource, id): data for resource, of in expected.items() for id, data in of.items()}

    def _assert_delivered(self) -> None:
        ledger = self.ledger
        expected = {f"{resource}/{id}" for resource, records in everything(self.seed).items() for id in records}
        assert (set(ledger["carriers"]), ledger["wrong"]) == (expected, [])
        assert {name: ids for name, ids in ledger["carriers"].items() if len(ids) > 1} == {}
        assert ledger["changed_bodies"] == []
        events = [event.removeprefix("sync_job_run:") for _, event in ledger["events"]]
        assert (events[0], events[-1]) == ("started", "completed")
        assert self._out_of_order(ledger) == []

    def _out_of_order(self, ledger: JsonObject) -> list[str]:
        """List deliveries that came back after a later one had come."""
        ids = [id for id, _ in ledger["events"]]
        return [id for position, id in enumerate(ids) if id in ids[:position] and ids[position - 1] != id]

    def _assert_few_repeats(self, kills: int) -> None:
        asked = self.ledger["asked"]
        repeated = {page: times - 1 for page, times in asked.items() if times > 1}
        assert set(asked) == all_pages()
        by_resource = Counter[str]()
        for page, times in repeated.items():
            by_resource["parents" if page.startswith("/") else "children"] += times
        print(
            f"  {'webhook' if self.has_webhook else 'daemon'} run: {sum(asked.values())} requests, repeated {repeated}"
        )
        # A lone listing has one page in flight; child units have as many as an account may, and as many not written.
        assert by_resource["parents"] <= kills
        assert by_resource["children"] <= kills * 2 * _REQUESTS_IN_FLIGHT


def start(
    workspace: Workspace, world: str, seed: str, outside_url: str, database_url: str, *, has_webhook: bool
) -> SyncUnderFire:
    """Start a run in a new world."""
    url = f"{outside_url}/{world}"
    sync = workspace.sync(url, [listed("parents"), child_of("parents", "children")])
    options: JsonObject = {}
    if has_webhook:
        options = {"webhook_id": workspace.api.post("/webhook", {"target_url": f"{url}/hook"})["id"]}
    return SyncUnderFire(sync, seed, url, sync.start(**options), database_url, has_webhook)


def _read(url: str) -> JsonObject:
    with urlopen(url, timeout=30) as answer:
        content: JsonObject = json.load(answer)
    return content
