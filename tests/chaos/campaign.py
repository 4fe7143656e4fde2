"""``make chaos ROUNDS=n [SCENARIO=name,name] [BROKER=url]``: play rounds of scenarios in turn, for hours if asked.

CHAOS_SEED repeats what a line names: ``make chaos ROUNDS=1 SCENARIO=name CHAOS_SEED=seed``. CHAOS_WAITING is how many
runs ``thousands-waiting`` has wait, by default 20,000.
"""

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path

from app.broker_urls import is_rabbitmq
from app.stack.commands import PROJECT_ROOT
from tests.chaos import arena, reliability_report
from tests.chaos.arena import Arena
from tests.chaos.rounds import Arrivals, Outcome, measure_undisturbed, play, seconds_of
from tests.chaos.scenarios import SCENARIOS, Scenario
from tests.support import pgbouncer

_PAGE = PROJECT_ROOT / "docs" / "reliability.md"
_BASELINE_EVERY = 6


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the rounds that the command line asks for; give the program's status."""
    options = _options(arguments)
    chosen = options.scenario or _possible(options.broker)
    began = time.monotonic()
    with arena.opened(options.broker) as place:
        try:
            outcomes = list(_played(place, list(islice(cycle(chosen), options.rounds))))
        except Exception:
            traceback.print_exc()
            print(f"the logs are in {_kept_logs(place)}", file=sys.stderr)
            return 1
    minutes = (time.monotonic() - began) / 60
    preface = (
        f"{datetime.now(UTC):%Y-%m-%d}, {len(outcomes)} rounds in {minutes:.0f} minutes on {os.cpu_count()} cores."
    )
    print(reliability_report.table(outcomes))
    if not options.scenario:
        broker = "rabbitmq" if is_rabbitmq(options.broker) else "redis"
        reliability_report.write(_PAGE, broker, outcomes, preface=preface)
    return 0


def _played(place: Arena, scenarios: Sequence[Scenario]) -> Iterator[Outcome]:
    given = os.environ.get("CHAOS_SEED")
    measured: list[list[Arrivals]] = []
    for number, scenario in enumerate(scenarios):
        if number % _BASELINE_EVERY == 0:
            measured += [measure_undisturbed(place, number) for _ in range(1 if measured else 3)]
            print("undisturbed:", *(f"{seconds_of(run):.1f} s" for run in _typical(measured)), flush=True)
        seed = int(given) if given else random.SystemRandom().randrange(10**9)
        print(f"{number + 1:>4}/{len(scenarios)} {scenario.name} CHAOS_SEED={seed}", end=" ", flush=True)
        outcome = play(place, scenario, seed, _typical(measured))
        print(_told(outcome), flush=True)
        yield outcome


def _typical(measured: Sequence[Sequence[Arrivals]]) -> Sequence[Arrivals]:
    """Choose the undisturbed pair of runs that took neither the longest nor the shortest."""
    return sorted(measured, key=lambda runs: max(map(seconds_of, runs)))[len(measured) // 2]


def _possible(broker_url: str) -> list[Scenario]:
    """List what can be done to a broker: nothing, to one that others run."""
    ours = broker_url in ("", arena.RABBITMQ)
    return [
        scenario
        for name, scenario in SCENARIOS.items()
        if (ours or "broker" not in name)
        and (not broker_url or name != "messages-doubled")
        and (pgbouncer.program() or name != "pgbouncer-between")
    ]


def _told(outcome: Outcome) -> str:
    ratio = "" if outcome.throughput is None else f", throughput {outcome.throughput:.0%}"
    return (
        f"[{outcome.story}] {outcome.records} records, {outcome.kills} kills, {outcome.repeated} requests and "
        f"{outcome.repeated_deliveries} deliveries repeated, recovery {outcome.recovery_seconds:.1f} s{ratio}, "
        f"{outcome.seconds:.0f} s"
    )


def _kept_logs(place: Arena) -> Path:
    kept = Path(tempfile.mkdtemp(prefix="ferryman-chaos-"))
    shutil.copytree(place.stack.data.logs, kept, dirs_exist_ok=True)
    (kept / "reports.json").write_text(json.dumps(place.reports))
    return kept


def _read_scenarios(names: str) -> list[Scenario]:
    unknown = [name for name in filter(None, names.split(",")) if name not in SCENARIOS]
    if unknown:
        raise argparse.ArgumentTypeError(f"no scenario is named {unknown[0]}: expected some of {', '.join(SCENARIOS)}")
    return [SCENARIOS[name] for name in names.split(",") if name]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=len(SCENARIOS))
    parser.add_argument("--scenario", type=_read_scenarios, default=[])
    parser.add_argument("--broker", default="")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
