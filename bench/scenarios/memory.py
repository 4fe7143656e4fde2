"""What a daemon's process takes: little, and the same for any number of records."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from app.stack.child import Child
from bench.measurement import BenchError, Figure, Measurement, at_most
from bench.scenario import Scenario
from bench.scenarios.bulk import sync_once
from bench.workbench import Workbench
from bench.worlds import new_world

_FEW: Final = 20_000
_MANY: Final = 2_000_000
_READY_SECONDS: Final = 60.0
_SAMPLE_SECONDS: Final = 0.25
MEGABYTE: Final = 1_000_000


@dataclass(slots=True)
class Peaks:
    """The most that any daemon took, in bytes."""

    resident: int = 0
    """RSS, pages shared with other processes included."""
    proportional: int = 0
    """PSS: of shared pages only the process's part."""
    ended: threading.Event = field(default_factory=threading.Event)

    def watch(self, pids: Sequence[int]) -> None:
        """Look at the processes until ``ended``."""
        while not self.ended.wait(_SAMPLE_SECONDS):
            self.look(pids)

    def look(self, pids: Sequence[int]) -> None:
        """Look at the processes once."""
        for pid in pids:
            # The kernel itself keeps the highest RSS; of PSS only samples can be had.
            self.resident = max(self.resident, _bytes(pid, "status", "VmHWM"))
            self.proportional = max(self.proportional, _bytes(pid, "smaps_rollup", "Pss"))


def measure(workbench: Workbench) -> Measurement:
    """Sync few and many records with fresh daemons each time, and compare their peaks."""
    few, many = workbench.effort.sized(_FEW), workbench.effort.sized(_MANY)
    small, large = (
        peaks_while(workbench, f"{records:,} records", partial(sync_once, workbench, new_world(records)))
        for records in (few, many)
    )
    highest = max(small.resident, large.resident)
    return Measurement(
        scenario="memory",
        figures=[
            Figure(name="highest RSS of a daemon", value=highest / MEGABYTE, unit="MB", bar=at_most(160)),
            Figure(
                name=f"RSS at {many:,} / at {few:,} records",
                value=large.resident / small.resident,
                unit="×",
                bar=at_most(1.1),
            ),
            Figure(name=f"RSS at {few:,}", value=small.resident / MEGABYTE, unit="MB"),
            Figure(name=f"PSS at {few:,}", value=small.proportional / MEGABYTE, unit="MB"),
            Figure(name=f"PSS at {many:,}", value=large.proportional / MEGABYTE, unit="MB"),
        ],
        notes=["peaks of the daemon that took most; both daemons are started anew before each size"],
    )


def peaks_while(workbench: Workbench, what: str, sync: Callable[[], object]) -> Peaks:
    """Watch daemons that were started anew while they work."""
    workbench.clear()
    daemons = [child for name, child in workbench.stack.children.items() if name.startswith("daemon-")]
    _restart(daemons)
    with _watched([pid for child in daemons if (pid := child.pid)]) as peaks:
        sync()
    workbench.say(f"{what}: RSS {peaks.resident / MEGABYTE:.1f} MB")
    return peaks


@contextmanager
def _watched(pids: Sequence[int]) -> Iterator[Peaks]:
    peaks = Peaks()
    watching = threading.Thread(target=peaks.watch, args=[pids])
    watching.start()
    try:
        yield peaks
        peaks.look(pids)
    finally:
        peaks.ended.set()
        watching.join()


def _restart(daemons: Sequence[Child]) -> None:
    before = {child.pid for child in daemons}
    for child in daemons:
        child.restarts = 0
        child.restart()
    deadline = time.monotonic() + _READY_SECONDS
    while any(child.pid in before or not child.is_ready() for child in daemons):
        if time.monotonic() > deadline:
            raise BenchError("the daemons did not come back")
        time.sleep(0.1)


def _bytes(pid: int, file: str, name: str) -> int:
    for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise BenchError(f"/proc/{pid}/{file} tells no {name}")


SCENARIOS = (
    Scenario(
        name="memory",
        what="the memory of a daemon at 20,000 and at 2,000,000 records",
        bar="under 160 MB, the same within 10 %",
        measure=measure,
    ),
)
