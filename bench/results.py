"""Keeps what was measured: a JSON file of each run of the program, and the latest figures in docs/performance.md."""

import json
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from app.engine.json_types import JsonObject
from app.stack.commands import PROJECT_ROOT
from bench.measurement import Measurement
from bench.table import markdown
from bench.workbench import Effort

RESULTS: Final = PROJECT_ROOT / "bench" / "results"
PAGE: Final = PROJECT_ROOT / "docs" / "performance.md"
_BEGIN, _END = "<!-- bench:figures -->", "<!-- /bench:figures -->"


def write_json(directory: Path, measurements: Sequence[Measurement], effort: Effort) -> Path:
    """Write all of it, each round included; give the file."""
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.json"
    content = {
        "machine": _machine(),
        "effort": asdict(effort),
        "measurements": [_shown(measurement) for measurement in measurements],
    }
    file.write_text(json.dumps(content, indent=2) + "\n")
    return file


def write_page(page: Path, measurements: Sequence[Measurement]) -> None:
    """Replace the figures that a page shows."""
    machine = _machine()
    preface = (
        f"{datetime.now(UTC):%Y-%m-%d}, commit {machine['commit']}, on {machine['cores']} cores "
        f"({machine['processor']}), {machine['memory_gb']} GB, Python {machine['python']}; "
        "upstream, receiver and Postgres on the same machine."
    )
    notes = [f"- {measurement.scenario}: {note}." for measurement in measurements for note in measurement.notes]
    text = "\n".join([_BEGIN, preface, "", markdown(measurements), "", *notes, _END])
    page.write_text(re.sub(f"{_BEGIN}.*?{_END}", lambda _: text, page.read_text(), flags=re.DOTALL))


def _shown(measurement: Measurement) -> JsonObject:
    figures = [{**asdict(figure), "verdict": figure.verdict} for figure in measurement.figures]
    return {**asdict(measurement), "figures": figures}


def _machine() -> JsonObject:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load_before": os.getloadavg()[0],
    }


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    found = subprocess.run(command, cwd=PROJECT_ROOT, check=False, capture_output=True, text=True)
    return found.stdout.strip() or "unknown"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
