"""Other sync engines over the same upstream, in an environment of their own that ``make bench-peers`` makes."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict

from app.stack.commands import PROJECT_ROOT
from bench import checking
from bench.customer import LISTING, NESTED
from bench.measurement import BenchError, Figure, Measurement
from bench.scenario import Scenario
from bench.workbench import Workbench
from bench.worlds import COMMENTS_PER_TICKET, World, new_world

PYTHON: Final = PROJECT_ROOT / ".venv-peers" / "bin" / "python"
_PROGRAMS: Final = Path(__file__).parents[1] / "peers"
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
    program = _PROGRAMS / f"{name}_peer.py"
    done = subprocess.run([PYTHON, program, *arguments], check=False, capture_output=True, text=True, cwd=_PROGRAMS)
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
    )
    if PYTHON.exists()
    else ()
)
