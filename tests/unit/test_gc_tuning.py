"""The garbage collector stays out of the way of pages."""

import subprocess
import sys

_PROGRAM = """
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
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["0", "True"]
