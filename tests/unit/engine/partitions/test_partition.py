"""The ``partition`` of a method: what it may say, and how its bounds are written."""

from datetime import UTC, datetime
from typing import Any

import pytest

from app.engine.config.reader import ConfigReader
from app.engine.errors import Failure
from app.engine.json_types import JSON
from app.engine.partitions import bounds
from app.engine.partitions.bounds import BoundFormat
from app.engine.partitions.partition import Partition, PartitionBy, read_partition


def read(value: JSON) -> tuple[Partition | None, list[Failure]]:
    failures: list[Failure] = []
    return read_partition(ConfigReader(value, "partition", failures)), failures


def test_no_partition_is_none() -> None:
    assert read(None) == (None, [])


def test_a_range_of_times_is_read() -> None:
    found, failures = read(
        {"by": "time", "from": "created[gte]", "to": "created[lt]", "format": "epoch", "start": "1600000000"}
        | {"step": 3600, "max_results": 10000, "from_excluded": True}
    )

    assert failures == []
    assert found == Partition(
        by=PartitionBy.TIME,
        lower_param="created[gte]",
        upper_param="created[lt]",
        form=BoundFormat.EPOCH,
        start=1_600_000_000,
        step=3600,
        max_results=10_000,
        is_lower_excluded=True,
    )


def test_known_values_are_read_once_each() -> None:
    found, failures = read({"by": "value", "param": "site", "values": ["a", 1, "a"]})

    assert failures == []
    assert found == Partition(by=PartitionBy.VALUE, value_param="site", values=("a", 1))


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ([], ""),
        ({"from": "a"}, ".by"),
        ({"by": "page"}, ".by"),
        ({"by": "time", "format": "number"}, ".format"),
        ({"by": "number", "format": "iso", "end": 3}, ".format"),
        ({"by": "number", "from": "a"}, ".end"),
        ({"by": "number", "start": 5, "end": 5}, ".end"),
        ({"by": "time", "start": "yesterday"}, ".start"),
        ({"by": "time", "start": 7}, ".start"),
        ({"by": "time", "step": 0}, ".step"),
        ({"by": "time", "values": ["a"]}, ".values"),
        ({"by": "value", "values": []}, ".values"),
        ({"by": "value", "values": [{}]}, ".values"),
        ({"by": "value", "values": ["a"], "step": 5}, ".step"),
        ({"by": "time", "in": "header"}, ".in"),
        ({"by": "time", "max_results": 0}, ".max_results"),
        ({"by": "time", "part_pages": 0}, ".part_pages"),
        ({"by": "time", "total_path": "a..b"}, ".total_path"),
        ({"by": "value", "values": ["a"], "total_path": "total"}, ".total_path"),
    ],
)
def test_what_can_not_be_meant_is_a_fault_at_its_place(value: Any, path: str) -> None:
    _, failures = read(value)

    assert f"partition{path}" in [failure.path for failure in failures]


@pytest.mark.parametrize(
    ("form", "written"),
    [
        (BoundFormat.ISO, "2024-05-01T12:30:05Z"),
        (BoundFormat.DATE, "2024-05-01"),
        (BoundFormat.EPOCH, 1714566605),
        (BoundFormat.EPOCH_DAY, 1714521600),
        (BoundFormat.EPOCH_MS, 1714566605000),
        (BoundFormat.NUMBER, 42),
    ],
)
def test_a_bound_is_written_as_it_was_read(form: BoundFormat, written: JSON) -> None:
    found = bounds.parse_bound(written, form)

    assert found is not None
    assert bounds.write_bound(found, form) == written
    assert bounds.parse_bound(str(written), form) == found


@pytest.mark.parametrize("value", [True, None, "x", [], "2024-13-01"])
def test_what_is_no_bound_is_none(value: JSON) -> None:
    assert {bounds.parse_bound(value, form) for form in BoundFormat} == {None}


@pytest.mark.parametrize(
    ("form", "bound", "written"),
    [
        (BoundFormat.ISO, 86400, "1970-01-01T23:59:59Z"),
        (BoundFormat.DATE, 1, "1970-01-01"),
        (BoundFormat.EPOCH, 86400, 86399),
        (BoundFormat.EPOCH_DAY, 1, 86399),
        (BoundFormat.NUMBER, 7, 6),
    ],
)
def test_the_last_value_before_a_bound_is_one_unit_less_and_of_a_day_its_last_second(
    form: BoundFormat, bound: int, written: JSON
) -> None:
    assert bounds.write_bound_before(bound, form) == written


def test_a_moment_within_a_day_belongs_to_that_day() -> None:
    assert bounds.parse_bound(1714566605, BoundFormat.EPOCH_DAY) == 1714521600 // 86400


def test_a_time_far_away_is_still_written() -> None:
    assert bounds.write_bound(10**15, BoundFormat.ISO) == "9964-09-09T00:00:00Z"
    assert bounds.write_bound(-(10**15), BoundFormat.DATE) == "1070-08-07"


def test_now_is_counted_in_the_unit_of_the_format() -> None:
    now = datetime(1970, 1, 3, tzinfo=UTC)

    assert [bounds.count_units(now, form) for form in BoundFormat] == [172_800, 2, 172_800, 2, 172_800_000, 0]
    assert [bounds.count_step(86400, form) for form in BoundFormat] == [86400, 1, 86400, 1, 86_400_000, 86400]
