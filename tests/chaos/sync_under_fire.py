"""A run that is to survive: how far it is, what is left of it, and whether nothing was lost and nothing doubled."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from urllib.request import Request, urlopen

import psycopg

from app.client import ApiError
from app.engine.json_types import JsonObject
from app.engine.status import FINAL_RUN_STATUSES
from tests.chaos.list_ways import ListWay, build_config
from tests.chaos.outside_world import all_pages, everything
from tests.support.patience import wait_for
from tests.support.workspace import Sync, Workspace, child_of, listed

_LIVE_UNITS = """
    select count(*) filter (where status in ('ready', 'leased', 'blocked')),
           count(*) filter (where lease_expires_at is not null),
           count(*) filter (where wake_at > now() and status <> 'done')
      from unit where run_id = %s
"""

_PENDING_DELIVERIES = "select count(*) from delivery where run_id = %s and status = 'pending'"


@dataclass(frozen=True, slots=True)
class Toll:
    """What a run cost beyond what it had to do."""

    way: ListWay
    records: int
    requests: int
    repeated: Counter[str]
    """Requests that were made again, by the unit that they belong to; ``parents`` is the listing's only one."""
    repeated_deliveries: int
    late_deliveries: int
    """Of these, those that came again after a later one had come."""
    arrivals: Sequence[tuple[float, int]]
    """When how many records came to where they belong (a daemon run's: were served)."""


@dataclass(frozen=True, slots=True)
class SyncUnderFire:
    """One run in a world of its own."""

    sync: Sync
    seed: str
    world_url: str
    run_id: str
    way: ListWay
    """How it lists its parents."""
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
    def status(self) -> str:
        """Read the run's status; empty while the API is away."""
        try:
            return self.sync.status(self.run_id)
        except ApiError:
            return ""

    @property
    def is_over(self) -> bool:
        """Claim that the run has ended."""
        return self.status in FINAL_RUN_STATUSES

    @property
    def tells_its_end_last(self) -> bool:
        """Claim that the receiver heard of no record after the run's end; true without a receiver."""
        events = [event for _, event in self.ledger["events"]]
        ends = [at for at, event in enumerate(events) if event.rpartition(":")[2] in FINAL_RUN_STATUSES]
        return not self.has_webhook or not ends or set(events[ends[0] :]) == {events[ends[0]]}

    def wait_until_asked(self, requests: int) -> None:
        """Wait until the upstream has got so many requests."""
        wait_for(lambda: self.asked >= requests, what=f"{requests} requests")

    def wait_until_quiet(self, seconds: float) -> None:
        """Wait until the upstream has not been asked for so long."""
        wait_for(lambda: self.counts["idle_seconds"] > seconds, what="silence")

    def wait_for_end(self) -> None:
        """Wait until the run is over and, if it has a webhook, its last event was taken down as delivered."""
        wait_for(lambda: self.is_over, what=f"the end of run {self.run_id}")
        wait_for(lambda: not any(self.leftovers().values()), what=f"a clean end: {self.leftovers()}")

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
        kept = {(resource, id): data for resource, id, data in rows}
        assert len(kept) == len(rows), "a record is kept twice"
        return kept

    def judge(self) -> Toll:
        """Assert that the run ended right, lost nothing and doubled nothing; tell what that cost."""
        self.wait_for_end()
        run, ledger = self.sync.show(self.run_id), self.ledger
        end = (run["status"], run["error"], self.sync.errors(self.run_id))
        assert end == ("completed", None, []), end
        self._assert_books(run)
        self._assert_delivered(ledger) if self.has_webhook else self._assert_stored()
        return self._toll(ledger)

    def forget(self) -> None:
        """Let the outside world forget this run."""
        with urlopen(Request(self.world_url, method="DELETE"), timeout=30):
            pass

    def _assert_books(self, run: JsonObject) -> None:
        held = {resource: len(records) for resource, records in everything(self.seed).items()}
        kept = ("queued", "delivered") if self.has_webhook else ("created",)
        for name in ("fetched", "persisted", *kept):
            counted = {resource: run["resource_stats"][resource]["list"][name] for resource in held}
            assert counted == held, (name, counted)
        pages = sum(run["resource_stats"][resource]["list"]["pages"] for resource in held)
        assert len(all_pages()) <= pages <= len(all_pages()) + self.way.spare_pages, pages

    def _assert_stored(self) -> None:
        expected = {(resource, id): data for resource, of in everything(self.seed).items() for id, data in of.items()}
        rows = self.rows()
        assert_none("kept by one side only", expected.keys() ^ rows.keys())
        assert_none("kept wrong", [key for key, data in rows.items() if data != expected[key]])

    def _assert_delivered(self, ledger: JsonObject) -> None:
        expected = {f"{resource}/{id}" for resource, records in everything(self.seed).items() for id in records}
        assert_none("known to one side only", expected ^ set(ledger["carried"]))
        for fault in ("wrong", "carried_twice", "changed_bodies"):
            assert_none(fault, ledger[fault])
        assert_none("gaps in the log", _gaps(ledger["numbers"]))
        events = list(dict(ledger["events"]).values())
        first, last = ["sync_job_run:created", "sync_job_run:started"], "sync_job_run:completed"
        assert (events[:2], events[-1]) == (first, last), events

    def _units_by_parent(self) -> dict[str, str]:
        """Tell which unit asked for which parent's children."""
        query = "select id::text, elements from unit where run_id = %s and kind <> 'delivery'"
        with psycopg.connect(self.database_url) as connection:
            units = connection.execute(query, [self.run_id]).fetchall()
        found = {_parent_id(element): id for id, elements in units for element in elements}
        return found | {"": "parents"}

    def _toll(self, ledger: JsonObject) -> Toll:
        asked, due = set[str](ledger["asked"]), set(all_pages())
        if self.way.is_cut:
            # Which ranges the list of parents was cut into is no matter: all records came.
            asked, due = ({page for page in pages if not page.startswith("/parents")} for pages in (asked, due))
        assert_none("asked for by one side only", due ^ asked)
        repeated, units = Counter[str](), self._units_by_parent()
        for page, times in ledger["asked"].items():
            repeated[units[page.partition("/")[0]]] += times - 1
        ids = [id for id, _ in ledger["events"]]
        repeated["parents"] = max(0, repeated["parents"] - self.way.checks)
        return Toll(
            way=self.way,
            records=sum(len(records) for records in everything(self.seed).values()),
            requests=sum(ledger["asked"].values()),
            repeated=repeated,
            repeated_deliveries=len(ids) - len(set(ids)),
            late_deliveries=_late(ids),
            arrivals=[(at, records) for at, records in ledger["received" if self.has_webhook else "served"]],
        )


def assert_none(what: str, found: Iterable[object]) -> None:
    """Assert that nothing was found, else show some of it; pytest, which would, is not always there."""
    some = list(found)
    assert not some, f"{len(some)} {what}: {some[:10]}"


def _parent_id(element: JsonObject) -> str:
    return str(element["parents"]["parents"]["id"]) if element.get("parents") else ""


def _gaps(numbers: Sequence[tuple[int | None, int]]) -> list[tuple[int | None, int | None]]:
    """List where a batch did not name the batch that came before it."""
    came: list[int | None] = [None, *(number for _, number in numbers)]
    return [(named, before) for (named, _), before in zip(numbers, came[:-1], strict=True) if named != before]


def _late(ids: Sequence[str]) -> int:
    """Count deliveries that came back after a later one had come."""
    first = {id: position for position, id in reversed(list(enumerate(ids)))}
    return sum(first[id] != position and ids[position - 1] != id for position, id in enumerate(ids))


def start(
    workspace: Workspace,
    world: str,
    seed: str,
    outside_url: str,
    database_url: str,
    *,
    has_webhook: bool,
    way: ListWay,
) -> SyncUnderFire:
    """Start a run in a new world."""
    url = f"{outside_url}/{world}"
    sync = workspace.sync(url, [listed("parents"), child_of("parents", "children")], config=build_config(way))
    options: JsonObject = {}
    if has_webhook:
        options = {"webhook_id": workspace.api.post("/webhook", {"target_url": f"{url}/hook"})["id"]}
    return SyncUnderFire(sync, seed, url, sync.start(**options), way, database_url, has_webhook)


def _read(url: str) -> JsonObject:
    with urlopen(url, timeout=30) as answer:
        content: JsonObject = json.load(answer)
    return content
