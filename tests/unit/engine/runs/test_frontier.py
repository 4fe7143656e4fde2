"""The progress of a unit, and cursors that go in circles."""

import json
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.record_errors import SourceError
from app.engine.runs.frontier import CursorTrail, Frontier

PAGES = st.lists(st.integers(min_value=1, max_value=4), max_size=6)
"""How many pages each element of a unit has."""


@dataclass
class Model:
    """The unit as it really is: how many pages of each element were taken in."""

    pages: list[int]
    taken: list[int]

    def is_done(self, index: int) -> bool:
        return self.taken[index] == self.pages[index]


def take_page(frontier: Frontier, model: Model, index: int) -> Frontier:
    model.taken[index] += 1
    if model.is_done(index):
        return frontier.finish(index)
    return frontier.advance(index, {"page": model.taken[index]})


@given(PAGES, st.data())
def test_any_interleaving_takes_every_page_once(pages: list[int], data: st.DataObject) -> None:
    model = Model(pages=pages, taken=[0] * len(pages))
    frontier = Frontier()

    while not frontier.is_done(len(pages)):
        steps = [*frontier.open, *([frontier.next] if frontier.next < len(pages) else [])]
        index = data.draw(st.sampled_from(steps))
        frontier = take_page(frontier, model, index) if index in frontier.open else frontier.start(index)

        assert Frontier.from_json(json.loads(json.dumps(frontier.to_json()))) == frontier
        for element in range(frontier.next):
            assert (element not in frontier.open) == model.is_done(element)
            expected = {"page": model.taken[element]} if model.taken[element] else None
            assert frontier.open.get(element, expected) == expected

    assert model.taken == pages


@given(PAGES, st.integers(min_value=1, max_value=3))
def test_asking_for_a_few_at_a_time_comes_to_an_end(pages: list[int], at_once: int) -> None:
    model = Model(pages=pages, taken=[0] * len(pages))
    frontier = Frontier()

    while not frontier.is_done(len(pages)):
        asked: list[int] = []
        while len(asked) < at_once and (index := frontier.choose_next(asked, len(pages))) is not None:
            frontier = frontier.start(index)
            asked.append(index)
        for index in asked:
            frontier = take_page(frontier, model, index)

    assert model.taken == pages


def test_a_unit_that_was_never_begun_is_an_empty_object() -> None:
    assert Frontier.from_json({}) == Frontier()


def test_a_unit_without_elements_is_done() -> None:
    assert Frontier().is_done(0)
    assert Frontier().choose_next((), 0) is None


def test_an_open_element_is_not_begun_again() -> None:
    frontier = Frontier().start(0).advance(0, "c")

    assert frontier.start(0) == frontier


def test_elements_are_begun_in_order() -> None:
    with pytest.raises(ValueError, match="the next one is 0"):
        Frontier().start(1)
    with pytest.raises(ValueError, match="the next one is 1"):
        Frontier().start(0).finish(0).start(0)


def test_only_an_open_element_moves() -> None:
    with pytest.raises(ValueError, match="element 0 is not open"):
        Frontier().advance(0, "c")
    with pytest.raises(ValueError, match="element 0 is not open"):
        Frontier().start(0).finish(0).finish(0)


def test_a_failed_element_is_closed_and_keeps_the_cursor_of_the_page_it_did_not_get() -> None:
    frontier = Frontier().start(0).advance(0, {"page": 3}).start(1).fail(0).finish(1)

    assert frontier.failed == {0: {"page": 3}}
    assert frontier.is_done(2)
    assert frontier.to_json() == {"next": 2, "open": {}, "failed": {"0": {"page": 3}}}
    assert Frontier.from_json(json.loads(json.dumps(frontier.to_json()))) == frontier
    with pytest.raises(ValueError, match="element 0 is not open"):
        frontier.fail(0)


def test_element_that_was_given_up_later_than_it_moved_on_fails_where_it_was_asked_for() -> None:
    frontier = Frontier().start(0).start(1).advance(0, {"page": 2}).finish(1)

    given_up = frontier.give_up(0, {"page": 1}).give_up(1, None)

    assert given_up == Frontier(next=2, open={}, failed={0: {"page": 1}, 1: None})


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
