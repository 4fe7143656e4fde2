"""Ids that are made of others stay the same; timed ones tell their time."""

from datetime import UTC, datetime
from uuid import RFC_4122, UUID

import pytest

from app.engine.ids import derive_id, new_id, new_timed_id, parse_id, read_time


def test_derived_id_is_a_uuid_of_its_own_for_each_thing_and_name() -> None:
    run = new_id()

    first, again, other = (derive_id(run, name) for name in ("created", "created", "started"))

    assert first == again != other
    assert parse_id(first) == first
    assert len({run, first, other, derive_id(new_id(), "created")}) == 4


def test_timed_id_is_a_uuid_of_its_own_that_tells_when_it_was_made() -> None:
    before = datetime.now(UTC)
    ids = [new_timed_id() for _ in range(100)]

    assert len({parse_id(id) for id in ids}) == 100
    assert {(UUID(id).version, UUID(id).variant) for id in ids} == {(7, RFC_4122)}
    assert ids[0][:13] <= ids[-1][:13]
    assert abs(read_time(ids[0]) - before).total_seconds() < 60  # type: ignore[operator]


@pytest.mark.parametrize(
    "text",
    [
        *("", "0c9e9bd43d3c4b5e9a371f1f0e1c2b3a", "{0c9e9bd4-3d3c-4b5e-9a37-1f1f0e1c2b3a}"),
        *("1_23456_-3d3c-4b5e-9a37-1f1f0e1c2b3a", "٣c9e9bd4-3d3c-4b5e-9a37-1f1f0e1c2b3a"),
    ],
)
def test_other_text_is_no_id(text: str) -> None:
    assert parse_id(text) is None


def test_id_is_read_in_any_case() -> None:
    assert parse_id("0C9E9BD4-3D3C-4b5e-9a37-1f1f0e1c2b3a") == "0c9e9bd4-3d3c-4b5e-9a37-1f1f0e1c2b3a"


@pytest.mark.parametrize(
    "text",
    ["", "no id", "0c9e9bd4-3d3c-4b5e-9a37-1f1f0e1c2b3a", "ffffffff-ffff-7fff-bfff-ffffffffffff"],
    ids=["empty", "no-uuid", "random", "year-10889"],
)
def test_other_text_tells_no_time(text: str) -> None:
    assert read_time(text) is None
