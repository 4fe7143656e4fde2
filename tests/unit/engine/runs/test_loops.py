import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.record_errors import SourceError
from app.engine.runs.frontier import CursorTrail


def pages_until_noticed(lead: int, cycle: int, *, at_most: int) -> int | None:
    """Walk an upstream whose cursors come back after ``lead``; a cycle of 0 never comes back."""
    trail, current = CursorTrail(), None
    for page in range(at_most):
        number = page if page < lead or not cycle else lead + (page - lead) % cycle
        try:
            trail = trail.follow(current, f"c{number}")
        except SourceError as error:
            assert error.code == "repeated_cursor"
            return page
        trail, current = CursorTrail.from_json(json.loads(json.dumps(trail.to_json()))), f"c{number}"
    return None


@given(st.integers(min_value=0, max_value=60), st.integers(min_value=1, max_value=60))
def test_every_cycle_is_noticed_soon(lead: int, cycle: int) -> None:
    noticed = pages_until_noticed(lead, cycle, at_most=1000)

    assert noticed is not None
    assert lead + cycle <= noticed <= 3 * (lead + cycle)


@given(st.integers(min_value=0, max_value=300))
def test_cursors_that_never_come_back_are_followed(pages: int) -> None:
    assert pages_until_noticed(0, 0, at_most=pages) is None


def test_the_same_cursor_twice_is_noticed_at_once() -> None:
    with pytest.raises(SourceError, match="'c' twice"):
        CursorTrail().follow(None, "a").follow("a", "b").follow("b", "c").follow("c", "c")


def test_the_memory_does_not_grow() -> None:
    trail = CursorTrail()
    for page in range(1000):
        trail = trail.follow(str(page - 1), str(page))

    assert set(trail.to_json()) == {"anchor", "steps", "power"}


def test_a_trail_begins_empty() -> None:
    assert CursorTrail.from_json({}) == CursorTrail()
