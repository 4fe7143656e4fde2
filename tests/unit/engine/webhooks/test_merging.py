"""Batches that wait are merged, and nothing of them is lost, doubled, changed, or put before what it belongs behind."""

import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.json_types import JSON
from app.engine.records.outcomes import Change
from app.engine.webhooks import events
from app.engine.webhooks.events import Envelope
from app.engine.webhooks.merging import (
    Line,
    MergeBounds,
    Merged,
    Node,
    RelatedResources,
    Waiting,
    merge_line,
    write_merged_body,
)

BOUNDS = MergeBounds(records=500, bytes=10_000)
# Two kinds of children, one of which has children, and a stranger.
NODES = [
    Node(id="t", name="tickets", resource="tickets", parent_name=None),
    Node(id="c", name="comments", resource="comments", parent_name="tickets"),
    Node(id="n", name="notes", resource="notes", parent_name="tickets"),
    Node(id="r", name="reactions", resource="reactions", parent_name="comments"),
    Node(id="u", name="users", resource="users", parent_name=None),
    Node(id="w", name="whole", resource="users", parent_name=None),
]
KIN = RelatedResources(NODES)
AT = datetime(2026, 1, 1, tzinfo=UTC)
ENVELOPE = Envelope(environment_id="e", webhook_id="w", created_at=AT)


def batch(
    resource_id: str,
    sequence: int,
    records: Sequence[JSON],
    *,
    change: Change | None = None,
    ids: Sequence[str] | None = None,
) -> Waiting:
    """A batch as a page's write makes it."""
    node = next(node for node in NODES if node.id == resource_id)
    meta = ({"change": change} if change else {}) | ({"ids": list(ids)} if ids else {})
    payload = {
        **{"sync_job_run_id": "run", "sync_job_id": "job", "integrated_account_id": "account"},
        **{"resource": node.resource, "method": "list", "records": list(records), "meta": meta},
    }
    draft = events.draft_event(
        ENVELOPE, id=f"id-{sequence}", event=events.RECORD, payload=payload, records=len(records)
    )
    body = events.number_batch(draft, "account", sequence, sequence - 1).body
    return Waiting(
        id=f"id-{sequence}",
        resource_id=resource_id,
        records=len(records),
        size=len(body),
        is_open=True,
        body=body,
        sequence=sequence,
        previous_sequence=sequence - 1,
    )


def line_of(resource_ids: str, **more: Any) -> list[Waiting]:
    """A batch of one record for each letter."""
    return [batch(id, place, [{"id": place}], **more) for place, id in enumerate(resource_ids, 1)]


def shown(merged: Sequence[Merged]) -> str:
    return " ".join(
        f"{group.last.resource_id}{'+'.join(str(part.sequence) for part in group.parts)}" for group in merged
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ccc", "c1+2+3"),
        ("cncncn", "c1+3+5 n2+4+6"),
        ("tctc", "t1 c2 t3 c4"),
        ("ttcc", "t1+2 c3+4"),
        ("crcr", "c1 r2 c3 r4"),
        ("cnrc", "c1 n2 r3 c4"),
        ("nrnr", "n1+3 r2+4"),
        ("uwu", "u1 w2 u3"),
        ("uctuct", "c2 t3 u1+4 c5 t6"),
        ("c", "c1"),
    ],
)
def test_batches_of_one_resource_are_merged_unless_they_would_jump_over_relatives(line: str, expected: str) -> None:
    assert shown(merge_line(line_of(line), BOUNDS, KIN)) == expected


def test_other_changes_and_other_shapes_of_ids_stay_apart() -> None:
    created, updated = ([{"id": 1}], Change.CREATED), ([{"id": 1}], Change.UPDATED)
    line = [batch("c", place, records, change=change) for place, (records, change) in enumerate([created, updated], 1)]
    mixed = [batch("c", 1, [{"k": 1}], ids=["1"]), batch("c", 2, [{"k": 2}])]

    assert shown(merge_line([*line, *line_of("ccc")[2:]], BOUNDS, KIN)) == "c1 c2 c3"
    assert shown(merge_line(mixed, BOUNDS, KIN)) == "c1 c2"


def test_bounds_are_kept_and_large_batches_travel_alone() -> None:
    line = line_of("cccc")
    large = replace(line[1], body=None)

    assert shown(merge_line(line, MergeBounds(records=3, bytes=10_000), KIN)) == "c1+2+3 c4"
    assert shown(merge_line(line, MergeBounds(records=9, bytes=2 * line[0].size), KIN)) == "c1+2 c3+4"
    assert shown(merge_line([line[0], large, *line[2:]], BOUNDS, KIN)) == "c1 c2 c3+4"
    assert MergeBounds(records=1, bytes=10).has_room(0, 0) is False


def test_nothing_is_merged_over_an_event_that_was_sent_or_is_no_batch() -> None:
    line = line_of("cccc")
    line[2] = replace(line[2], is_open=False)

    assert shown(merge_line(line, BOUNDS, KIN)) == "c1+2"
    assert merge_line([line[2]], BOUNDS, KIN) == []


def test_batches_of_resources_that_are_not_known_stay_in_their_order() -> None:
    line = [replace(one, resource_id=id) for one, id in zip(line_of("ccc"), ["c", None, "c"], strict=True)]

    assert shown(merge_line(line, BOUNDS, KIN)) == "c1 None2 c3"


def test_merged_batch_is_what_one_page_would_have_made_of_its_records() -> None:
    tricky = [
        {"records": [',"records":['], "resource": 2**70},
        {"previous_sequence": 1, "sequence": '"],"resource":"x"'},
    ]
    parts = [
        batch("c", 5, tricky[:1], ids=[',"method":']),
        batch("c", 6, tricky[1:], ids=["2"]),
        batch("c", 7, [{"é": "\\"}], ids=["3"]),
    ]
    whole = batch("c", 7, [*tricky, {"é": "\\"}], ids=[',"method":', "2", "3"])

    (merged,) = merge_line(parts, BOUNDS, KIN)

    expected = json.loads(whole.body or b"") | {"previous_sequence": 4}
    assert json.loads(write_merged_body(merged)) == expected
    assert write_merged_body(merged) == (whole.body or b"").replace(b'"previous_sequence":6', b'"previous_sequence":4')


@given(st.text("tcnruw", min_size=1, max_size=14), st.integers(2, 5))
def test_any_line_keeps_its_records_its_order_and_the_chain_of_its_numbers(letters: str, most: int) -> None:
    merged = merge_line(line_of(letters), MergeBounds(records=most, bytes=100_000), KIN)

    sent = [part.sequence or 0 for group in merged for part in group.parts]
    assert sorted(sent) == list(range(1, len(letters) + 1))
    for earlier, later in itertools.combinations(sent, 2):
        if KIN.are_related(letters[earlier - 1], letters[later - 1]):
            assert earlier < later
    numbers = [group.last.sequence for group in merged]
    assert numbers == sorted(numbers, key=lambda number: number or 0)
    assert [group.previous_sequence for group in merged] == [0, *numbers[:-1]]
    assert all(sum(part.records for part in group.parts) <= most for group in merged)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (Line(waiting=line_of("cn"), age_seconds=0.0, is_fetched=True), True),
        (Line(waiting=line_of("cn"), age_seconds=0.0, is_fetched=False), False),
        (Line(waiting=line_of("c" * 4), age_seconds=0.0, is_fetched=True), False),
        (Line(waiting=[replace(one, is_open=False) for one in line_of("c")], age_seconds=0.0, is_fetched=True), False),
    ],
    ids=["room", "nobody fetches", "full", "sent"],
)
def test_a_line_grows_while_its_first_batch_has_room_and_somebody_fetches(line: Line, *, expected: bool) -> None:
    assert line.is_growing(MergeBounds(records=4, bytes=10_000)) is expected
