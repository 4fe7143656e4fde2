"""What a fleet needs, by arithmetic from unit costs that were measured: the tables of docs/scaling.md.

``python -m bench.capacity`` prints them. A unit cost is what one core of the measuring machine spends; whoever plans
for other cores measures them anew and puts the figures into ``COSTS``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_DAY: Final = 86_400.0
_HOUR: Final = 3_600.0
_BUSY: Final = 0.6
"""How much of a core is planned for; the rest is for peaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Measured on 2 cores that upstream, daemons, Postgres and Redis shared."""

    daemon_us_per_new_record: float
    daemon_us_per_unchanged_record: float
    postgres_us_per_new_record: float
    postgres_us_per_unchanged_record: float
    daemon_ms_per_page: float
    postgres_ms_per_page: float
    api_ms_per_run: float
    daemon_ms_per_run: float
    postgres_ms_per_run: float
    redis_operations_per_run: float
    bytes_per_record: float
    """Heap and indexes; a record's JSON is 520 bytes long."""
    wal_bytes_per_new_record: float
    connections_per_daemon: int
    daemon_megabytes: int


COSTS: Final = Costs(
    daemon_us_per_new_record=9.5,
    daemon_us_per_unchanged_record=7.5,
    postgres_us_per_new_record=12.0,
    postgres_us_per_unchanged_record=2.0,
    daemon_ms_per_page=1.9,
    postgres_ms_per_page=0.8,
    api_ms_per_run=3.8,
    daemon_ms_per_run=10.6,
    postgres_ms_per_run=3.9,
    redis_operations_per_run=14,
    bytes_per_record=880,
    wal_bytes_per_new_record=900,
    connections_per_daemon=10,
    daemon_megabytes=140,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a fleet of accounts asks for."""

    accounts: int
    records_per_account: int = 100_000
    runs_per_account_and_hour: float = 1.0
    pages_per_run: float = 10.0
    changed_per_day: float = 0.02
    """The part of all records that changes in a day."""
    passes_per_week: float = 1.0
    """Whole passes over every record, which find most of them unchanged."""

    @property
    def records(self) -> float:
        """Count all records that are kept."""
        return float(self.accounts * self.records_per_account)

    @property
    def runs_per_second(self) -> float:
        """Count the runs."""
        return self.accounts * self.runs_per_account_and_hour / _HOUR

    @property
    def changed_per_second(self) -> float:
        """Count the records that are written."""
        return self.records * self.changed_per_day / _DAY

    @property
    def unchanged_per_second(self) -> float:
        """Count the records that are compared and left alone."""
        return self.records * self.passes_per_week / (7 * _DAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a load takes."""

    api_cores: float
    daemon_cores: float
    postgres_cores: float
    redis_operations_per_second: float
    terabytes: float
    wal_megabytes_per_second: float


def need(load: Load, costs: Costs = COSTS) -> Need:
    """Work a load out, on average over the day."""
    runs = load.runs_per_second
    pages = runs * load.pages_per_run
    daemon = runs * costs.daemon_ms_per_run / 1e3 + pages * costs.daemon_ms_per_page / 1e3
    postgres = runs * (costs.postgres_ms_per_run + load.pages_per_run * costs.postgres_ms_per_page) / 1e3
    daemon += load.changed_per_second * costs.daemon_us_per_new_record / 1e6
    daemon += load.unchanged_per_second * costs.daemon_us_per_unchanged_record / 1e6
    postgres += load.changed_per_second * costs.postgres_us_per_new_record / 1e6
    postgres += load.unchanged_per_second * costs.postgres_us_per_unchanged_record / 1e6
    return Need(
        api_cores=runs * costs.api_ms_per_run / 1e3,
        daemon_cores=daemon,
        postgres_cores=postgres,
        redis_operations_per_second=runs * costs.redis_operations_per_run,
        terabytes=load.records * costs.bytes_per_record / 1e12,
        wal_megabytes_per_second=load.changed_per_second * costs.wal_bytes_per_new_record / 1e6,
    )


def ceilings(costs: Costs = COSTS) -> list[tuple[str, str, str]]:
    """Return what one of each carries at most: ``(what, of which, how many)``."""
    return [
        ("one core of Postgres", "new records/s", _count(_BUSY * 1e6 / costs.postgres_us_per_new_record)),
        ("one core of Postgres", "unchanged records/s", _count(_BUSY * 1e6 / costs.postgres_us_per_unchanged_record)),
        ("one core of Postgres", "one-page runs/s", _count(_BUSY * 1e3 / costs.postgres_ms_per_run)),
        ("one daemon process (one core)", "new records/s", _count(_BUSY * 1e6 / costs.daemon_us_per_new_record)),
        ("one daemon process (one core)", "small pages/s", _count(_BUSY * 1e3 / costs.daemon_ms_per_page)),
        ("one daemon process (one core)", "one-page runs/s", _count(_BUSY * 1e3 / costs.daemon_ms_per_run)),
        ("one core of the API", "POST /sync-job-run per s", _count(_BUSY * 1e3 / costs.api_ms_per_run)),
        ("one Redis (100,000 operations/s)", "one-page runs/s", _count(100_000 / costs.redis_operations_per_run)),
        ("Postgres with 200 connections", "daemons", _count(180 / costs.connections_per_daemon)),
    ]


def fleets(sizes: Sequence[int] = (100, 1_000, 10_000, 100_000)) -> list[tuple[str, ...]]:
    """Work fleets of accounts out, a row each."""
    rows: list[tuple[str, ...]] = []
    for accounts in sizes:
        load = Load(accounts=accounts)
        needed = need(load)
        rows.append(
            (
                f"{accounts:,}",
                _count(load.records),
                f"{load.runs_per_second:,.2f}",
                f"{needed.api_cores:.2f}",
                f"{needed.daemon_cores:.2f}",
                f"{needed.postgres_cores:.2f}",
                _count(needed.redis_operations_per_second),
                f"{needed.wal_megabytes_per_second:.2f}",
                f"{needed.terabytes:.2f}",
            )
        )
    return rows


def tables() -> str:
    """Print both tables as Markdown."""
    fleet_heads = (
        *("accounts", "records", "runs/s", "API cores", "daemon cores", "Postgres cores"),
        *("Redis operations/s", "WAL MB/s", "TB kept"),
    )
    return "\n\n".join([_table(("what", "carries at most", "at 60 % busy"), ceilings()), _table(fleet_heads, fleets())])


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---", *("--:" for _ in heads[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _count(number: float) -> str:
    return f"{number:,.0f}"


if __name__ == "__main__":
    print(tables())
