"""The whole benchmark, as small as it can be: what it measures, shows and keeps."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import cast

import pytest

from app.stack.stack import Stack
from bench import program
from bench.measurement import BROKEN, MISSED_BARS, SUCCESS, BenchError, Measurement
from bench.registry import SCENARIOS
from bench.scenario import Scenario
from bench.workbench import Effort, Workbench, around


def losing_scenario() -> Scenario:
    def measure(_workbench: Workbench) -> Measurement:
        raise BenchError("tickets: 9 of 10 rows, 0 of them wrong")

    return Scenario(name="bulk", what="loses a record", bar="none", measure=measure)


def no_workbench(_effort: Effort, _say: Callable[[str], None]) -> AbstractContextManager[Workbench]:
    return nullcontext(cast(Workbench, None))


def test_two_tiny_scenarios_give_a_table_and_a_file_and_a_status(
    ferryman: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Between tests nobody misses what a benchmark removes: all runs and records.
    shared = partial(around, ferryman)
    arguments = ["--scenario", "bulk", "--scenario", "webhook", "--scale", "0.01", "--rounds", "1"]

    status = program.main([*arguments, "--results", str(tmp_path)], open_workbench=shared)

    (file,) = tmp_path.iterdir()
    bulk, webhook = json.loads(file.read_text())["measurements"]
    ratio, rate = bulk["figures"][0], webhook["figures"][0]
    assert (bulk["scenario"], ratio["bar"]) == ("bulk", {"side": "at least", "limit": 0.8})
    assert {side: len(samples) for side, samples in ratio["samples"].items()} == {
        "floor, records/s": 1,
        "Ferryman, records/s": 1,
    }
    assert ratio["value"] > 0
    assert rate["verdict"] == ("met" if rate["value"] >= 30_000 else "missed")
    assert status == (SUCCESS if ratio["verdict"] == rate["verdict"] == "met" else MISSED_BARS)
    shown = capsys.readouterr().out
    assert "bulk / floor" in shown
    assert "at least 30,000 records/s" in shown
    assert "bulk: 2,000 records" in shown


def test_list_names_every_scenario_and_starts_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    status = program.main(["--list"])

    shown = capsys.readouterr().out
    assert status == SUCCESS
    assert [name for name in SCENARIOS if name not in shown] == []


def test_scenario_that_breaks_leaves_no_figures_and_a_status_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "SCENARIOS", {"bulk": losing_scenario()})

    status = program.main(["--scenario", "bulk", "--results", str(tmp_path)], open_workbench=no_workbench)

    (file,) = tmp_path.iterdir()
    assert status == BROKEN
    assert json.loads(file.read_text())["measurements"] == []
    assert "bulk broke: tickets: 9 of 10 rows" in capsys.readouterr().out
