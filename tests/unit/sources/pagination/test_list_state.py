import json

from hypothesis import given
from hypothesis import strategies as st

from app.sources.pagination.state import ListState, compute_fingerprint

STATES = st.builds(
    ListState,
    next=st.one_of(st.integers(0), st.text(), st.dictionaries(st.text(), st.integers())),
    pages=st.integers(0, 9),
    asked=st.integers(0, 9),
    got=st.integers(0),
    size=st.none() | st.integers(0),
    seen=st.none() | st.text(),
    total=st.none() | st.integers(0),
    empty=st.integers(0, 9),
    is_promised=st.booleans(),
    is_confirming=st.booleans(),
    is_asked_again=st.booleans(),
    is_part=st.booleans(),
    repeated_at=st.one_of(st.none(), st.integers(0), st.text()),
    is_moved=st.booleans(),
    refused=st.none() | st.just({"at": 3, "code": "http_404", "message": "no", "status": 404, "excerpt": None}),
)


@given(STATES)
def test_a_state_survives_its_way_through_json(state: ListState) -> None:
    assert ListState.from_json(json.loads(json.dumps(state.to_json()))) == state


def test_a_cursor_of_an_earlier_version_goes_on_where_it_was() -> None:
    counted = ListState.from_json({"position": 7, "size": 50, "seen": "f"})
    led = ListState.from_json({"next": "c", "current": None, "trail": {"anchor": "c", "steps": 0, "power": 2}})

    assert (counted.next, counted.size, counted.is_part) == (7, 50, True)
    assert (led.next, led.trail.anchor, led.is_part) == ("c", "c", True)


def test_pages_are_told_apart_by_their_records() -> None:
    page = [{"id": number} for number in range(1000)]

    assert compute_fingerprint(page) == compute_fingerprint([dict(record) for record in page])
    assert compute_fingerprint(page) != compute_fingerprint(page[:-1])
    assert compute_fingerprint(page) != compute_fingerprint([*page[:-1], {"id": -1}])
    assert compute_fingerprint([{"id": 1}]) != compute_fingerprint([{"id": 2}])


def test_a_total_says_nothing_of_a_part_of_a_list() -> None:
    state = ListState(got=10, total=20)

    assert state.is_short
    assert not ListState(got=10, total=20, is_part=True).is_short
    assert not ListState(got=20, total=20, is_part=True).is_met
