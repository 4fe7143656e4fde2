"""The demo's verdict: silent only when every count is exact."""

import io
from collections.abc import Mapping

import pytest
from rich.console import Console

from app.demo.report import RunReport, build_sample_table, find_delivery_faults, print_verdict
from app.demo.watching import watch_run
from app.engine.json_types import JsonObject

HOLDS = {"users": 3, "tickets": 20}
IN_ORDER = ["sync_job_run:created", "sync_job_run:started", "sync_job_run:record", "sync_job_run:completed"]


def run_of(status: str = "completed", **changes: int) -> JsonObject:
    """A run that fetched all that is held; a change such as ``tickets_persisted=19`` spoils one counter."""
    stats = {name: {"fetched": n, "persisted": n, "errors": 0, "status": "completed"} for name, n in HOLDS.items()}
    for change, value in changes.items():
        resource, _, counter = change.partition("_")
        stats[resource][counter] = value
    return {"id": "r", "status": status, "resource_stats": {name: {"list": counts} for name, counts in stats.items()}}


def report_of(run: JsonObject, found: Mapping[str, int] = HOLDS) -> RunReport:
    return RunReport(title="daemon run", place="in Postgres", run=run, holds=HOLDS, found=found)


def console(*, terminal: bool = False) -> Console:
    return Console(file=io.StringIO(), width=80, force_terminal=terminal, color_system=None)


def text_of(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_report_has_no_differences_when_all_is_exact() -> None:
    assert report_of(run_of()).differences() == []


@pytest.mark.parametrize(
    ("run", "found", "difference"),
    [
        (run_of(tickets_fetched=21), HOLDS, "tickets: 21 fetched; the upstream holds 20"),
        (run_of(tickets_persisted=0), HOLDS, "tickets: 0 persisted; the upstream holds 20"),
        (run_of(), {"tickets": 20}, "users: 0 in Postgres; the upstream holds 3"),
        (run_of(users_errors=2), HOLDS, "users: 2 errors"),
        (run_of("stopped"), HOLDS, "it is stopped: no reason was given"),
        (run_of("failed") | {"error": {"message": "books"}}, HOLDS, "it is failed: books"),
    ],
    ids=["fetched", "persisted", "found", "errors", "stopped", "failed"],
)
def test_report_names_what_differs(run: JsonObject, found: Mapping[str, int], difference: str) -> None:
    assert report_of(run, found).differences() == [f"daemon run: {difference}"]


def test_report_of_a_run_that_never_began_differs_in_everything() -> None:
    run = {"id": "r", "status": "failed", "resource_stats": {}, "error": None}

    assert len(report_of(run, {}).differences()) == 1 + len(HOLDS)


def test_table_fits_80_columns_and_marks_what_differs() -> None:
    screen = console()

    screen.print(report_of(run_of(tickets_fetched=1)).table())

    lines = text_of(screen).splitlines()
    assert [line.split()[-1] for line in lines[1:]] == ["✓", "✗"]
    assert max(map(len, lines)) <= 80 - 3


@pytest.mark.parametrize(
    ("finished_at", "speed"),
    [
        ("2026-01-01T00:00:02.000Z", "10"),
        ("2026-01-01T00:00:00.000Z", "20,000"),
        (None, "-"),
    ],
    ids=["two-seconds", "at-once", "never"],
)
def test_table_tells_records_per_second(finished_at: str | None, speed: str) -> None:
    run = run_of()
    run["resource_stats"]["tickets"]["list"] |= {"started_at": "2026-01-01T00:00:00.000Z", "finished_at": finished_at}
    screen = console()

    screen.print(report_of(run).table())

    assert text_of(screen).splitlines()[2].split()[4] == speed


def test_sample_rows_take_one_line_each() -> None:
    screen = console()

    screen.print(build_sample_table([("comments", "comment-0001-1", {"body": "x" * 200})]))

    assert len(text_of(screen).splitlines()) == 2
    assert "comment-0001-1  {" in text_of(screen)


@pytest.mark.parametrize(
    ("stats", "faults"),
    [
        ({}, []),
        ({"unverified": 1}, ["receiver: 1 deliveries did not verify"]),
        ({"duplicates": 4}, ["receiver: 4 records came twice"]),
        (
            {"events": IN_ORDER[1:]},
            [f"receiver: expected created and started first, completed last; got {', '.join(IN_ORDER[1:])}"],
        ),
        ({"events": []}, ["receiver: expected created and started first, completed last; got nothing"]),
    ],
    ids=["none", "unverified", "duplicates", "order", "nothing"],
)
def test_delivery_faults_are_told(stats: JsonObject, faults: list[str]) -> None:
    log = {"events": stats.get("events", IN_ORDER), "duplicates": stats.get("duplicates", 0)}
    receiver = {"unverified": stats.get("unverified", 0), "runs": {"r": log}}

    assert find_delivery_faults(receiver, "r") == faults


def test_verdict_lists_every_fault() -> None:
    screen = console()

    print_verdict(screen, ["users: [1] errors", "tickets: 2 errors"], 1.0)

    assert text_of(screen) == "✗ Not exact:\n  • users: [1] errors\n  • tickets: 2 errors\n"


@pytest.mark.parametrize("terminal", [False, True])
def test_watching_ends_with_the_run(terminal: bool) -> None:
    states = iter([run_of("created") | {"resource_stats": {}}, run_of("running", tickets_persisted=7), run_of()])
    screen = console(terminal=terminal)

    run = watch_run(lambda: next(states), HOLDS, screen)

    assert run == run_of()
    assert ("20 / 20" in text_of(screen)) is terminal
