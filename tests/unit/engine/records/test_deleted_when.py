"""Which records of a page are told as deleted, and what several with one id come to."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from app.engine.jobs.definition import parse_resources
from app.engine.json_types import JSON, JsonObject
from app.engine.jsonata import expressions
from app.engine.records import told_deletions
from app.engine.records.keys import BY_ID
from app.engine.records.told_deletions import Parted, Resolved

PAGE = (Path(__file__).parents[4] / "docs" / "records.md").read_text()
USERS = {"resource": "users", "method": "list", "persist": True}


def part(text: str, records: Sequence[JSON], *, seconds: float = 0.0) -> Parted:
    ticks = iter([0.0, *(seconds * (number + 1) for number in range(len(records)))])
    return told_deletions.split_deleted(
        expressions.parse(text), records, BY_ID, has_short_integers=False, monotonic=lambda: next(ticks)
    )


@pytest.mark.parametrize(
    ("text", "record", "is_deleted"),
    [
        ("deleted = true", {"deleted": True}, True),
        ("deleted = true", {"deleted": False}, False),
        ("deleted = true", {}, False),
        ("deleted", {"deleted": None}, False),
        ("deleted", {"deleted": "True"}, True),
        ("deleted", {"deleted": "false"}, False),
        ("status = 'archived'", {"status": "archived"}, True),
        ("$exists(deleted_at) and deleted_at != null", {"deleted_at": "2026-01-01"}, True),
        ("$exists(deleted_at) and deleted_at != null", {"deleted_at": None}, False),
        ("record.deleted", {"deleted": True}, True),
        ("record.deleted", {"record": {"deleted": False}, "deleted": True}, False),
        ("$$.deleted", {"deleted": True}, True),
        ("id = '9007199254740993'", {"id": 2**53 + 1}, True),
        ("record = 'gone'", "gone", True),
    ],
)
def test_only_true_deletes(text: str, record: JSON, is_deleted: bool) -> None:
    parted = part(text, [record])

    assert (parted.living, parted.deleted, parted.errors) == (
        ([], [(0, record)], []) if is_deleted else ([record], [], [])
    )


def test_records_keep_their_order() -> None:
    records = [{"id": number, "deleted": number % 2 == 0} for number in range(4)]

    parted = part("deleted", records)

    assert parted.living == [records[1], records[3]]
    assert parted.deleted == [(0, records[0]), (1, records[2])]


@pytest.mark.parametrize(
    ("text", "record", "message"),
    [
        ("deleted", {"id": 1, "deleted": "2026-01-01"}, "expected true or false, found a text"),
        ("deleted", {"id": 1, "deleted": 1}, "expected true or false, found a number"),
        ("deleted", {"id": 1, "deleted": {}}, "expected true or false, found an object"),
        ("$number(deleted) = 1", {"id": 1, "deleted": "no"}, "D3030"),
    ],
)
def test_what_is_no_answer_is_an_error_of_that_record_alone(text: str, record: JsonObject, message: str) -> None:
    parted = part(text, [record, {"id": 2}])

    (error,) = parted.errors
    assert (error.code, error.record_id) == ("deleted_when", "1")
    assert "deleted_when of record '1': " in error.message
    assert message in error.message
    assert "2026" not in error.message
    assert (parted.living, parted.deleted) == ([{"id": 2}], [])


def test_a_page_has_a_limited_time() -> None:
    parted = part("deleted", [{"id": 1}, {"id": 2}], seconds=5)

    assert (parted.living, [error.record_id for error in parted.errors]) == ([{"id": 1}], ["2"])
    assert "8 s" in parted.errors[0].message


@pytest.mark.parametrize(
    ("signs", "living", "deleted", "superseded"),
    [
        ("", "", "", 0),
        ("+a +b", "ab", "", 0),
        ("-a +b", "b", "a", 0),
        ("+a -a", "", "a", 1),
        ("-a +a", "a", "", 1),
        ("-a -a", "", "a", 1),
        ("+a -a +a", "aa", "", 1),
        ("-a +a -a +b", "b", "a", 2),
    ],
)
def test_of_several_with_one_id_the_last_counts(signs: str, living: str, deleted: str, superseded: int) -> None:
    found = resolved(signs.split())

    assert [record["id"] for record in found.living] == list(living)
    assert (list(found.deleted), found.superseded) == (list(deleted), superseded)


def resolved(signs: Sequence[str]) -> Resolved:
    living: list[JSON] = []
    deleted: list[tuple[int, JSON]] = []
    for sign, id in map(tuple, signs):
        if sign == "+":
            living.append({"id": id})
        else:
            deleted.append((len(living), {"id": id}))
    return told_deletions.resolve_deletions(living, deleted, BY_ID)


@given(some.lists(some.tuples(some.sampled_from("+-"), some.sampled_from("abc")).map("".join)))
def test_any_order_ends_as_if_each_record_were_written_by_itself(signs: list[str]) -> None:
    found = resolved(signs)

    last = {id: sign for sign, id in map(tuple, signs)}
    assert {record["id"] for record in found.living} == {id for id, sign in last.items() if sign == "+"}
    assert sorted(found.deleted) == sorted(id for id, sign in last.items() if sign == "-")
    assert len(found.living) + len(found.deleted) + found.superseded == len(signs)


def test_a_record_without_an_id_is_known_by_its_content() -> None:
    found = told_deletions.resolve_deletions([{"name": "b"}], [(1, {"name": "a"})], BY_ID)

    assert (len(found.living), found.deleted[0][:8]) == (1, "content:")


@pytest.mark.parametrize(
    ("fields", "path", "message"),
    [
        ({"deleted_when": "deleted ="}, "deleted_when", "at character 9"),
        ({"deleted_when": True}, "deleted_when", "expected a JSONata expression, found a boolean"),
    ],
)
def test_deleted_when_is_checked(fields: JsonObject, path: str, message: str) -> None:
    _, (failure,) = parse_resources([{**USERS, **fields}])

    assert failure.path == f"resources.0.{path}"
    assert message in failure.message


def test_a_transform_may_tell_deletions_and_a_spool_may_not() -> None:
    large = {"type": "transform", "name": "large", "depends_on": "users", "config": {"expression": "records"}}
    spool = {"type": "spool", "name": "all", "depends_on": "users", "deleted_when": "deleted"}
    items, failures = parse_resources([USERS, {**large, "deleted_when": "deleted"}])
    _, (failure,) = parse_resources([USERS, spool])

    assert (failures, items[1].deleted_when is not None) == ([], True)
    assert failure.path == "resources.1.deleted_when"


def test_the_page_about_records_says_what_is_so() -> None:
    section = PAGE.partition("## Deletions reported by the upstream")[2]
    (shown,) = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", section, re.DOTALL)]
    items, failures = parse_resources(shown)
    rows = re.findall(r"^\| `(.+?)` \| `(\[.*?\])` \|$", section, re.MULTILINE)
    records = json.loads(re.findall(r"of this page \| `(\[.*?\])` \|", section)[0])

    assert failures == []
    assert items[0].deleted_when is not None
    assert items[0].deleted_when.text == rows[0][0]
    assert len(rows) == 3
    for text, deleted in rows:
        assert [record["id"] for _, record in part(text, records).deleted] == json.loads(deleted)
