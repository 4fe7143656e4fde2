"""Write what rounds have shown into docs/reliability.md, between the markers of the broker that they ran on."""

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from tests.chaos.rounds import Outcome
from tests.chaos.scenarios import SCENARIOS

_HEAD = """\
| what goes wrong | rounds | kills | records | lost | doubled | requests repeated per interruption, median (most) \
| recovery, median (most) | throughput after it |
|---|--:|--:|--:|--:|--:|--:|--:|--:|"""


def write(page: Path, broker: str, outcomes: Sequence[Outcome], *, preface: str) -> None:
    """Replace the broker's part of the page."""
    begin, end = f"<!-- chaos:{broker} -->", f"<!-- /chaos:{broker} -->"
    text = f"{begin}\n{preface}\n\n{table(outcomes)}\n{end}"
    page.write_text(re.sub(f"{begin}.*?{end}", lambda _: text, page.read_text(), flags=re.DOTALL))


def table(outcomes: Sequence[Outcome]) -> str:
    """Draw one row per scenario and one for all. Lost and doubled are 0: a round that finds one ends the program."""
    parted: defaultdict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        parted[outcome.scenario].append(outcome)
    rows = [_row(scenario.what, parted[name]) for name, scenario in SCENARIOS.items() if name in parted]
    return "\n".join([_HEAD, *rows, _row("**all**", outcomes)])


def _row(what: str, outcomes: Sequence[Outcome]) -> str:
    repeated = [outcome.repeated / outcome.interruptions for outcome in outcomes if outcome.interruptions]
    recovery = [outcome.recovery_seconds for outcome in outcomes]
    ratios = [outcome.throughput for outcome in outcomes if outcome.throughput is not None]
    cells = (
        what,
        f"{len(outcomes)}",
        f"{sum(outcome.kills for outcome in outcomes)}",
        f"{sum(outcome.records for outcome in outcomes):,}",
        "0",
        "0",
        f"{median(repeated):.0f} ({max(repeated):.0f})" if repeated else "-",
        f"{median(recovery):.1f} s ({max(recovery):.1f} s)",
        f"{median(ratios):.0%}" if ratios else "-",
    )
    return f"| {' | '.join(cells)} |"
