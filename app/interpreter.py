"""Python's own settings for a process that moves records: when garbage is collected, and how deep calls may go.

A page of a thousand records makes thousands of dicts, none of them in a cycle. By default every 700 of them set off a
collection, and now and then one that walks all that Celery and SQLAlchemy have loaded: a third of the time of a fetch
(docs/performance.md). And Python's own functions on values, and the standard library's reader and writer of JSON, stop
at the recursion limit, a thousand calls: a record that orjson had read could then not be written or shown.
"""

import gc
import sys
from typing import Any, Final

_THRESHOLDS = (100_000, 20, 50)


def collect_rarely() -> None:
    """Collect more rarely; before a program loads its modules, which so takes a tenth to a fifth less CPU time."""
    gc.set_threshold(*_THRESHOLDS)


def tune_garbage_collection() -> None:
    """Exclude all that is loaded by now from collections, and collect the rest more rarely."""
    gc.collect()
    gc.freeze()
    collect_rarely()


MOST_LEVELS: Final = 1024
"""Of nesting, in an upstream's answer: as many as orjson reads."""
_CALLS: Final = 6 * MOST_LEVELS


def raise_recursion_limit() -> None:
    """Allow functions of this process to recurse as deep as an answer can be nested."""
    sys.setrecursionlimit(max(sys.getrecursionlimit(), _CALLS))


def is_deeper(value: Any, levels: int) -> bool:
    """Whether arrays and objects are nested more than ``levels`` deep."""
    level = [value]
    for _ in range(levels + 1):
        containers = [one for one in level if isinstance(one, dict | list)]
        if not containers:
            return False
        level = [inner for one in containers for inner in (one.values() if isinstance(one, dict) else one)]
    return True
