"""Keep Python's cyclic garbage collector out of the way of pages and requests.

A page of a thousand records makes thousands of dicts, none of them in a cycle. By default every 700 of them set off a
collection, and now and then one that walks all that Celery and SQLAlchemy have loaded: a third of the time of a fetch
(docs/performance.md).
"""

import gc

_THRESHOLDS = (100_000, 20, 50)


def calm() -> None:
    """Take what is loaded by now out of every collection, and collect the rest more rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
