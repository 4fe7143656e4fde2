"""Where increments begin, and what an unread page holds back."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from app.engine.jobs import planning
from app.engine.jobs.definition import parse_resources
from app.engine.runs import increments
from app.engine.runs.increments import LowerBounds

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

PARENTS = {"teams": None, "members": "teams", "notes": "members", "roles": "teams", "logs": None}
"""Two trees: teams with members, who have notes, and roles; and logs."""


@pytest.mark.parametrize(
    ("unread", "held"),
    [
        ([], ""),
        (["logs"], "logs"),
        (["teams"], "teams members notes roles"),
        (["members"], "teams members notes"),
        (["notes"], "teams members notes"),
        (["roles"], "teams roles"),
        (["roles", "logs"], "teams roles logs"),
    ],
)
def test_an_unread_page_holds_all_that_leads_to_it_and_all_that_would_have_come_of_it(
    unread: list[str], held: str
) -> None:
    assert increments.find_held(PARENTS, unread) == frozenset(held.split())


@some.composite
def trees(draw: some.DrawFn) -> dict[str, str | None]:
    """Draw the parents of up to twelve resources, parents first."""
    count = draw(some.integers(1, 12))
    parents = [draw(some.integers(-1, position - 1)) for position in range(count)]
    return {f"r{position}": None if parent < 0 else f"r{parent}" for position, parent in enumerate(parents)}


def line(parents: dict[str, str | None], name: str) -> list[str]:
    """List a resource and its ancestors."""
    parent = parents[name]
    return [name, *(line(parents, parent) if parent else [])]


@given(parents=trees(), data=some.data())
def test_a_resource_is_held_exactly_by_what_is_on_its_line(
    parents: dict[str, str | None], data: some.DataObject
) -> None:
    unread = data.draw(some.sets(some.sampled_from(sorted(parents))))

    held = increments.find_held(parents, unread)

    assert held == {
        name
        for name in parents
        if any(name in line(parents, other) or other in line(parents, name) for other in unread)
    }


@given(parents=trees())
def test_each_resource_knows_where_its_descendants_end(parents: dict[str, str | None]) -> None:
    raw = [
        {"resource": name, "method": "list", **({"depends_on": parent} if parent else {})}
        for name, parent in parents.items()
    ]
    order = planning.plan(parse_resources(raw)[0]).order

    last = increments.find_last_descendants(order)

    for position, item in enumerate(order):
        below = {other.name for other in order if item.name in line(parents, other.name)}
        assert {other.name for other in order[position : last[position] + 1]} == below


def test_a_resource_asks_from_where_its_run_does_unless_it_asks_from_later_on() -> None:
    bounds = LowerBounds(run=None, own={"logs": NOON})

    assert (bounds.find("teams"), bounds.find("logs")) == (None, NOON)
    assert LowerBounds(run=NOON).find("teams") == NOON


def test_bounds_that_equal_the_runs_are_not_kept_apart() -> None:
    early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)

    bounds = LowerBounds.combine(early, {"users": late, "tickets": early, "notes": None})

    assert bounds.own == {"users": late}
    assert [bounds.find(name) for name in ("users", "tickets", "notes")] == [late, early, early]
