"""What makes two records the same."""

import pytest

from app.engine.record_rows import encode, record_row


def test_row_has_the_id_as_text_and_sorted_json():
    row = record_row({"name": "a", "id": 7}, ("id",))

    assert (row.remote_id, row.data) == ("7", b'{"id":7,"name":"a"}')


def test_key_order_does_not_change_the_hash():
    assert record_row({"a": 1, "id": "x"}, ("id",)) == record_row({"id": "x", "a": 1}, ("id",))


@pytest.mark.parametrize("record", [{"name": "a"}, {"id": None}, {"id": ""}, {"id": {"x": 1}}, {"id": True}, "text", 3])
def test_record_without_an_id_is_known_by_its_content(record):
    row = record_row(record, ("id",))

    assert row.remote_id == f"content:{row.content_hash.hex()}"


def test_id_can_lie_deeper():
    assert record_row({"meta": {"uuid": "u1"}}, ("meta", "uuid")).remote_id == "u1"


def test_integers_beyond_64_bits_stay_exact():
    assert encode({"n": 2**80}) == b'{"n":1208925819614629174706176}'


def test_id_too_long_for_an_index_is_known_by_its_hash():
    row = record_row({"id": "x" * 5000}, ("id",))

    assert row.remote_id.startswith("hash:")
    assert len(row.remote_id) < 100
