"""What makes two records the same."""

from typing import Any

import pytest

from app.engine.records import rows
from app.engine.records.keys import BY_ID, RecordKey
from app.engine.records.rows import RecordBatch, encode, make_row


def test_row_has_the_id_as_text_and_sorted_json():
    row = make_row({"name": "a", "id": 7}, BY_ID)

    assert (row.remote_id, row.data) == ("7", b'{"id":7,"name":"a"}')


def test_key_order_does_not_change_the_hash():
    assert make_row({"a": 1, "id": "x"}, BY_ID) == make_row({"id": "x", "a": 1}, BY_ID)


@pytest.mark.parametrize("record", [{"name": "a"}, {"id": None}, {"id": ""}, {"id": {"x": 1}}, {"id": True}, "text", 3])
def test_record_without_an_id_is_known_by_its_content(record):
    row = make_row(record, BY_ID)

    assert row.remote_id == f"content:{row.content_hash.hex()}"


def test_id_can_lie_deeper():
    assert make_row({"meta": {"uuid": "u1"}}, RecordKey(paths=(("meta", "uuid"),))).remote_id == "u1"


def test_integers_beyond_64_bits_stay_exact():
    assert encode({"n": 2**80}) == b'{"n":1208925819614629174706176}'


def test_id_too_long_for_an_index_is_known_by_its_hash():
    row = make_row({"id": "x" * 5000}, BY_ID)

    assert row.remote_id.startswith("hash:")
    assert len(row.remote_id) < 100


def test_batch_keeps_the_last_of_several_records_with_one_id_and_counts_all():
    batch = RecordBatch([{"id": 1, "a": 1}, {"id": 2}, {"id": "1", "a": 2}, {"no": "id"}])

    assert (batch.given, len(batch)) == (4, 3)
    assert [row.data for row in batch.rows(["1", "2"])] == [b'{"a":2,"id":"1"}', b'{"id":2}']
    assert batch.ids[2] == make_row({"no": "id"}, BY_ID).remote_id


def test_batch_makes_a_row_when_it_is_asked_for_and_once():
    records = [{"id": 1}, {"id": 2}]
    batch = RecordBatch(records)

    batch.make_rows(["1"])
    records[0]["late"] = records[1]["late"] = True

    assert [row.data for row in batch.rows(batch.ids)] == [b'{"id":1}', b'{"id":2,"late":true}']


def test_large_batch_keeps_no_row(monkeypatch):
    monkeypatch.setattr(rows, "_MOST_ROWS_KEPT", 2)
    records: list[Any] = [{"id": 1}, {"no": "id"}, {"other": "one"}, {"id": 4}]
    batch = RecordBatch(records)
    made = list(batch.rows(batch.ids))

    records[0]["late"] = records[2]["late"] = True

    assert not batch.keeps_rows
    assert [row.data for row in made] == [b'{"id":1}', b'{"no":"id"}', b'{"other":"one"}', b'{"id":4}']
    assert [row.data for row in batch.rows(batch.ids)] == [
        b'{"id":1,"late":true}',
        b'{"no":"id"}',
        b'{"late":true,"other":"one"}',
        b'{"id":4}',
    ]
