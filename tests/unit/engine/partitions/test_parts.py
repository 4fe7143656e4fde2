"""How a list is cut into parts: together they are the whole list, whatever it was cut by."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.json_types import JsonObject
from app.engine.partitions import parts
from app.engine.partitions.bounds import BoundFormat
from app.engine.partitions.partition import Partition, PartitionBy
from app.engine.partitions.parts import PartFacts
from app.engine.record_errors import SourceError

NUMBERS = Partition(
    by=PartitionBy.NUMBER, lower_param="from", upper_param="to", form=BoundFormat.NUMBER, start=0, end=1000
)


def facts(**changed: Any) -> PartFacts:
    known: dict[str, Any] = {"is_first": True, "leads_on": True, "got": 10, "page_size": 10, "total": None}
    return PartFacts(**{**known, **changed})


def cut(partition: Partition, part: JsonObject | None, **changed: Any) -> list[JsonObject]:
    return parts.choose_cut(partition, part, facts(**changed), own=(None, None), now=500)


@pytest.mark.parametrize(
    ("part", "changed", "count"),
    [
        (None, {"leads_on": False}, 0),
        (None, {"total": 80}, 0),
        (None, {"total": 90}, 2),
        (None, {"total": 10_000}, 64),
        (None, {}, 4),
        (None, {"is_first": False}, 0),
        ({"lower": 0, "upper": 500, "depth": 2}, {}, 4),
        ({"lower": 0, "upper": 500, "depth": 3}, {}, 0),
        ({"lower": 0, "upper": 500, "depth": 1}, {"total": 240}, 0),
        ({"lower": 0, "upper": 500, "depth": 1}, {"total": 250}, 4),
        ({"lower": 0, "upper": 1, "depth": 1}, {"total": 250}, 0),
        ({"value": "a"}, {"total": 10_000}, 0),
    ],
)
def test_a_list_is_cut_as_its_first_page_shows(part: JsonObject | None, changed: JsonObject, count: int) -> None:
    assert len(cut(NUMBERS, part, **changed)) == count


bound = st.none() | st.integers(-2000, 2000)


@given(lower=bound, upper=bound, total=st.none() | st.integers(0, 100_000), depth=st.integers(0, 6))
def test_parts_are_the_whole_without_gaps(lower: int | None, upper: int | None, total: int | None, depth: int) -> None:
    if lower is not None and upper is not None and lower >= upper:
        lower, upper = upper, lower + 1

    found = cut(NUMBERS, {"lower": lower, "upper": upper, "depth": depth}, total=total)

    if not found:
        return
    assert (found[0]["lower"], found[-1]["upper"]) == (lower, upper)
    assert all(before["upper"] == after["lower"] for before, after in itertools.pairwise(found))
    edges = [edge for edge in [lower, *(one["upper"] for one in found)] if edge is not None]
    assert edges == sorted(set(edges))


@pytest.mark.parametrize(
    ("changed", "count"),
    [({"total": 39}, 0), ({"total": 40}, 2), ({"total": 400}, 20), ({"got": 40, "is_first": False}, 2)],
)
def test_a_part_that_is_capped_is_cut_again(changed: JsonObject, count: int) -> None:
    capped = Partition(by=PartitionBy.NUMBER, form=BoundFormat.NUMBER, end=1000, max_results=40)

    assert len(cut(capped, {"lower": 0, "upper": 500, "depth": 5}, **changed)) == count


@pytest.mark.parametrize("part", [{"lower": 7, "upper": 8, "depth": 3}, {"lower": None, "upper": 1, "depth": 3}])
def test_a_capped_part_that_can_not_be_cut_is_an_error(part: JsonObject) -> None:
    capped = Partition(by=PartitionBy.NUMBER, form=BoundFormat.NUMBER, end=1000, max_results=40)

    with pytest.raises(SourceError, match="can not be cut further"):
        cut(capped, part, got=40, is_first=False)


@pytest.mark.parametrize(
    ("part", "total", "count"),
    [(None, 80, 0), (None, 90, 18), (None, 10_000, 64), ({"depth": 1}, 10, 0), ({"depth": 1}, 11, 4)],
)
def test_parts_of_one_page_are_cut_until_they_are(part: JsonObject | None, total: int, count: int) -> None:
    of_one_page = Partition(by=PartitionBy.NUMBER, form=BoundFormat.NUMBER, end=1000, part_pages=1)

    assert len(cut(of_one_page, part and {"lower": 0, "upper": 500, **part}, total=total)) == count


def test_a_part_of_too_many_pages_that_can_not_be_cut_is_read_on() -> None:
    of_one_page = Partition(by=PartitionBy.NUMBER, form=BoundFormat.NUMBER, end=1000, part_pages=1)

    assert cut(of_one_page, {"lower": 7, "upper": 8, "depth": 3}, total=10_000) == []


def test_a_guessed_start_and_end_can_be_wrong() -> None:
    times = Partition(by=PartitionBy.TIME, form=BoundFormat.EPOCH, start=400, end=450)

    before = parts.choose_cut(
        times, {"lower": None, "upper": 401, "depth": 1}, facts(total=1000), own=(None, None), now=9000
    )
    behind = parts.choose_cut(
        times, {"lower": 449, "upper": None, "depth": 1}, facts(total=1000), own=(None, None), now=9000
    )

    assert before[0]["upper"] < 400
    assert behind[-1]["lower"] > 450


def test_requests_are_limited_by_parameters_and_by_placeholders() -> None:
    part = {"lower": 5, "upper": None, "depth": 1}
    exclusive = Partition(
        by=PartitionBy.NUMBER, lower_param="after", form=BoundFormat.NUMBER, end=9, is_lower_excluded=True
    )

    assert parts.build_parameters(NUMBERS, part) == {"from": 5}
    assert parts.build_scope(exclusive, {**part, "upper": 8}) == {"from": 4, "to": 8}
    assert parts.build_parameters(exclusive, {**part, "upper": 8}) == {"after": 4}
    assert parts.build_scope(NUMBERS, None) == {}
    assert parts.build_scope(Partition(by=PartitionBy.VALUE), {"value": "a"}) == {"value": "a"}
