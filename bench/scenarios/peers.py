"""Other sync engines over the same upstream, in an environment of their own that ``make bench-peers`` makes."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict

from app.engine.json_types import JsonObject
from app.stack.commands import PROJECT_ROOT
from bench import checking
from bench.customer import LISTING, NESTED
from bench.measurement import BenchError, Figure, Measurement, at_least
from bench.scenario import Scenario
from bench.scenarios import slow_lists
from bench.wire import read
from bench.workbench import Workbench
from bench.worlds import COMMENTS_PER_TICKET, World, new_world

PYTHON: Final = PROJECT_ROOT / ".venv-peers" / "bin" / "python"
PROGRAMS: Final = Path(__file__).parents[1] / "peers"
_DATABASE: Final = "bench_peers"
_RECORDS: Final = 200_000
_PARENTS: Final = 2000
_PARENT_PAGE: Final = 100
_DELAY_MS: Final = 50


def measure(workbench: Workbench) -> Measurement:
    """Have Ferryman and each peer sync the same worlds, one after the other, once."""
    bulk = new_world(workbench.effort.sized(_RECORDS))
    nested = new_world(workbench.effort.sized(_PARENTS, least=100), page_size=_PARENT_PAGE, delay_ms=_DELAY_MS)
    figures = [
        figure for mode, world in (("bulk", bulk), ("nested", nested)) for figure in _compared(workbench, mode, world)
    ]
    return Measurement(
        scenario="peers",
        figures=figures,
        notes=[
            f"{bulk.records:,} records; {nested.records:,} parents at {_DELAY_MS} ms; one round each",
            "airbyte-cdk writes its records nowhere",
        ],
    )


def measure_slow(workbench: Workbench) -> Measurement:
    """Have Ferryman sync a list that takes its time for each page, and each peer a tenth of it, in one run."""
    records = workbench.effort.sized(slow_lists.RECORDS, least=10 * slow_lists.PAGE_SIZE)
    ours: dict[str, tuple[JsonObject, JsonObject]] = {
        "page": (slow_lists.declare_total(slow_lists.PAGE), {}),
        "offset": (slow_lists.declare_total(slow_lists.OFFSET), {}),
        "cursor": (slow_lists.CURSOR, {"partition": slow_lists.partition_by_id(records)}),
    }
    figures = []
    for mode, (pagination, method) in ours.items():
        figures += _compare_slow(workbench, mode, pagination, method, records)
    return Measurement(
        scenario="slow-peers",
        figures=figures,
        notes=[
            f"{records:,} records in pages of {slow_lists.PAGE_SIZE}, {slow_lists.DELAY_MS} ms each; peers a tenth of "
            "them; one round each, requests as the upstream counted them",
            "by cursor, Ferryman reads the list in parts by its ids",
            "airbyte-cdk writes its records nowhere",
        ],
    )


def _compare_slow(
    workbench: Workbench, mode: str, pagination: JsonObject, method: JsonObject, records: int
) -> list[Figure]:
    world = _new_slow_world(records)
    run = slow_lists.run_list(workbench, world, pagination, method=method)
    speed = records / run.seconds
    figures = [
        Figure(name=f"by {mode}: Ferryman", value=speed, unit="records/s"),
        Figure(name=f"by {mode}: requests of Ferryman", value=_count_requests(workbench, world), unit=""),
    ]
    for name in ("dlt", "airbyte"):
        few = _new_slow_world(records // 10)
        url = workbench.prepare(few)
        workbench.settle_disk()
        address = [_address(workbench.database(_DATABASE))] if name == "dlt" else []
        theirs = few.records / _run(name, [url, *address, f"by_{mode}"], few.records)
        workbench.say(f"by {mode}: {name} {theirs:,.0f} records/s, Ferryman {speed:,.0f}")
        figures += [
            Figure(name=f"by {mode}: Ferryman / {name}", value=speed / theirs, unit="×", bar=at_least(10)),
            Figure(name=f"by {mode}: {name}", value=theirs, unit="records/s"),
            Figure(name=f"by {mode}: requests of {name}", value=_count_requests(workbench, few), unit=""),
        ]
    return figures


def _new_slow_world(records: int) -> World:
    return new_world(records, page_size=slow_lists.PAGE_SIZE, delay_ms=slow_lists.DELAY_MS)


def _count_requests(workbench: Workbench, world: World) -> float:
    return float(read(f"{workbench.url_of(world)}/stats")["requests"])


def _compared(workbench: Workbench, mode: str, world: World) -> list[Figure]:
    records = world.records * (1 if mode == "bulk" else 1 + COMMENTS_PER_TICKET)
    url = workbench.prepare(world)
    workbench.clear()
    sync = workbench.customer.sync(url, LISTING if mode == "bulk" else NESTED)
    ours = workbench.customer.run(sync).seconds
    checking.check_tickets(workbench.stack.database_url, [sync.account_id], world.records)
    figures = []
    for name, arguments in (("dlt", [url, _address(workbench.database(_DATABASE)), mode]), ("airbyte", [url, mode])):
        workbench.settle_disk()
        theirs = _run(name, arguments, records)
        workbench.say(f"{mode}: {name} {theirs:.1f} s, Ferryman {ours:.1f} s")
        figures.append(Figure(name=f"{mode}: Ferryman / {name}", value=theirs / ours, unit="×"))
        figures.append(Figure(name=f"{mode}: {name}", value=records / theirs, unit="records/s"))
    return figures


def _address(database_url: str) -> str:
    """Write a URL as dlt takes it: a host, be it a socket's directory, and a password, be it of no use."""
    parts = conninfo_to_dict(database_url)
    place = f"{quote(str(parts['host']), safe='')}:{parts['port']}"
    return f"postgresql://{parts['user']}:none@{place}/{parts['dbname']}"


def _run(name: str, arguments: Sequence[str], records: int) -> float:
    program = PROGRAMS / f"{name}_peer.py"
    done = subprocess.run([PYTHON, program, *arguments], check=False, capture_output=True, text=True, cwd=PROGRAMS)
    if done.returncode != 0:
        raise BenchError(f"{name} failed: {done.stderr[-1000:]}")
    result = json.loads(done.stdout.splitlines()[-1])
    if result["records"] != records:
        raise BenchError(f"{name} read {result['records']} of {records} records")
    return float(result["seconds"])


# Left out where the peers are not installed: they are no dependency of this project.
SCENARIOS = (
    (
        Scenario(
            name="peers",
            what="dlt and airbyte-cdk over the same upstream",
            bar="none: shown beside Ferryman",
            measure=measure,
        ),
        Scenario(
            name="slow-peers",
            what="a list of 200 ms a page by number, by offset and by cursor in parts, beside dlt and airbyte-cdk on a "
            "tenth of it",
            bar="at least 10 × the records per second of both",
            measure=measure_slow,
        ),
    )
    if PYTHON.exists()
    else ()
)
