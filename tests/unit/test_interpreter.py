"""Pages set off no garbage collection, and values as deep as an answer can be processed and written."""

import subprocess
import sys
from typing import Any

import pytest

from app import interpreter

_PAGES = """
import gc, orjson
import celery, flask, sqlalchemy
import app.interpreter
collections = []
gc.callbacks.append(lambda phase, _: collections.append(phase))
app.interpreter.tune_garbage_collection()
collections.clear()
orjson.loads(b'[' + b','.join([b'{"requester":{},"tags":[]}'] * 5000) + b']')
print(len(collections), gc.get_freeze_count() > 1000)
"""


def test_page_of_thousands_of_records_sets_off_no_collection():
    done = subprocess.run([sys.executable, "-c", _PAGES], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["0", "True"]


_PROGRAM = """
from app import interpreter
interpreter.raise_recursion_limit()
import flask, orjson
from app.api.application import ExactJson
from app.engine.jsonata.exact_integers import write_long_integers_as_texts
from app.engine.records.rows import RecordBatch
from app.engine.json_values import make_storable
levels = interpreter.MOST_LEVELS - 2
text = b"[" * levels + b"12345678901234567" + b"]" * levels
record = {"id": 1, "v": orjson.loads(text)}
(row,) = RecordBatch([record]).rows(["1"])
shown = ExactJson(flask.Flask("shown")).dumps({"result": [{"data": record}]})
exact = write_long_integers_as_texts(make_storable(record))
print(len(row.data) == levels * 2 + 30, shown.count("[") == levels + 1, exact != record)
"""


def test_record_as_deep_as_can_be_read_is_written_and_shown() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["True", "True", "True"]


@pytest.mark.parametrize(
    ("value", "levels", "is_deeper"),
    [(1, 0, False), ([], 1, False), ([], 0, True), ({"a": [1]}, 2, False), ({"a": [1], "b": 1}, 1, True)],
)
def test_levels_are_counted(value: Any, levels: int, is_deeper: bool) -> None:
    assert interpreter.is_deeper(value, levels) is is_deeper
