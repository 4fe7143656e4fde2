import io
import json

import pytest
from rich.console import Console

from bench import table, worlds
from bench.measurement import (
    BROKEN,
    MISSED_BARS,
    SUCCESS,
    Bar,
    Figure,
    Measurement,
    Verdict,
    at_least,
    at_most,
    exit_status,
)
from bench.rounds import in_turn
from bench.samples import noise, percentile, ratio


def measured(value: float, bar: Bar | None) -> Measurement:
    return Measurement(scenario="bulk", figures=[Figure(name="rate", value=value, unit="×", bar=bar, noise=0.1)])


@pytest.mark.parametrize(
    ("bar", "value", "verdict"),
    [
        (at_least(0.8), 0.8, Verdict.MET),
        (at_least(0.8), 0.79, Verdict.MISSED),
        (at_most(30), 30, Verdict.MET),
        (at_most(30), 30.1, Verdict.MISSED),
    ],
)
def test_bar_judges_a_figure_by_its_side(bar: Bar, value: float, verdict: Verdict) -> None:
    assert bar.judge(value) is verdict


def test_exit_status_tells_missed_bars_from_a_broken_scenario() -> None:
    met, missed, shown = measured(1, at_least(0.8)), measured(0.1, at_least(0.8)), measured(0.1, None)

    assert exit_status([met, shown], is_broken=False) == SUCCESS
    assert exit_status([met, missed], is_broken=False) == MISSED_BARS
    assert exit_status([met], is_broken=True) == BROKEN


def test_table_shows_figure_bar_noise_and_verdict() -> None:
    shown = io.StringIO()
    console = Console(width=120, file=shown)

    table.show(console, [measured(0.79, at_least(0.8))])

    row = next(line for line in shown.getvalue().splitlines() if "rate" in line)
    assert [cell.strip() for cell in row.strip("│").split("│")] == [
        *("bulk", "rate", "at least 0.80 ×", "0.79 ×", "± 5.0%", "missed")
    ]
    assert "| bulk | rate | at least 0.80 × | 0.79 × | ± 5.0% | missed |" in table.markdown(
        [measured(0.79, at_least(0.8))]
    )


def test_sides_are_measured_in_turn_and_their_warm_up_thrown_away() -> None:
    order: list[str] = []

    def side(name: str) -> float:
        order.append(name)
        return len(order)

    a, b = in_turn(2, lambda: side("a"), lambda: side("b"))

    assert order == ["a", "b", "a", "b", "a", "b"]
    assert (list(a), list(b)) == ([3, 5], [4, 6])


def test_samples_come_to_percentiles_ratios_and_noise() -> None:
    assert percentile(list(range(1, 101)), 99) == 99
    assert percentile([5.0], 50) == 5.0
    assert ratio([8, 8, 100], [4, 4, 1]) == 2
    assert noise([10, 11, 9], [10, 10, 10]) == pytest.approx(0.2)
    assert noise([10]) is None


def test_pages_of_a_world_hold_each_ticket_once_as_derived_from_its_id() -> None:
    world = worlds.new_world(25, page_size=10)

    pages = [json.loads(worlds.ticket_page(world.records, world.page_size, page)) for page in range(world.pages)]

    assert [page["next_cursor"] for page in pages] == ["1", "2", None]
    assert [ticket for page in pages for ticket in page["data"]] == [worlds.ticket(id) for id in range(1, 26)]
    assert worlds.world_named(world.name) == world


def test_comments_are_derived_from_their_ids() -> None:
    page = json.loads(worlds.comment_page(7))

    assert page["data"] == [worlds.comment(id) for id in worlds.comment_ids(7)]
    assert {comment["ticket_id"] for comment in page["data"]} == {7}
