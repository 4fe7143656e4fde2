"""What is odd about ids, in words that help to mend it."""

import pytest

from app.engine.jobs import item_keys
from app.engine.json_types import JSON
from app.engine.records.keys import BY_ID, RecordKey

BY_TWO = RecordKey(paths=(("order", "id"), ("no",)), is_list=True)


@pytest.mark.parametrize(
    ("record", "key", "words"),
    [
        ({"_id": "a", "name": "A"}, BY_ID, "id_path 'id': 'id' is missing (fields that look like ids: '_id')"),
        (
            {"id": None, "orderId": 5, "a_uuid": "x"},
            BY_ID,
            "'id' is null (fields that look like ids: 'orderId', 'a_uuid')",
        ),
        ({"id": "", "x": 1}, BY_ID, "'id' is empty (no other field looks like an id)"),
        ({"id": [1], "Id": {"no": "text"}}, BY_ID, "'id' is an array (no other field looks like an id)"),
        ({"order": {"id": 7}}, BY_TWO, "id_path ['order.id', 'no']: 'no' is missing (no other field"),
        ({}, BY_TWO, "'order.id' is missing and 'no' is missing"),
        ([1], BY_ID, "expected objects with the id at 'id', found an array"),
    ],
)
def test_fault_names_what_is_there_and_what_could_be_meant(record: JSON, key: RecordKey, words: str) -> None:
    assert words in item_keys.explain_missing_id(record, key)


def test_texts_and_numbers_need_no_id() -> None:
    assert item_keys.has_ids(["U1", 5], BY_ID)
    assert not item_keys.has_ids([{"a": 1}, [1]], BY_ID)


def test_only_other_content_of_another_origin_collides() -> None:
    records: list[JSON] = [{"id": 1, "a": 1}, {"id": 2}, {"id": 1, "a": 2}, {"id": 2}, {"id": 1, "a": 3}, {"id": 3}]

    assert item_keys.count_collisions(records, BY_ID, [(0, 0)]) == 0
    assert item_keys.count_collisions(records, BY_ID, [(0, 0), (3, 1)]) == 1
    assert item_keys.count_collisions(records, BY_ID, [(0, 0), (2, 1), (4, 0)]) == 2
