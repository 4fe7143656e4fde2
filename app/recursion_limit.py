"""How deeply JSON may be nested: as deeply as orjson reads it.

Python's own functions on values, and the standard library's reader and writer of JSON, stop at the interpreter's
recursion limit, a thousand calls. So a record that was read could not be written any more, or shown once it was.
"""

import sys
from typing import Any, Final

MOST_LEVELS: Final = 1024
"""Of an upstream's answer."""
_CALLS: Final = 6 * MOST_LEVELS


def allow() -> None:
    """Let this process's functions follow values as deep as an answer can be."""
    sys.setrecursionlimit(max(sys.getrecursionlimit(), _CALLS))


def is_deeper(value: Any, levels: int) -> bool:
    """Whether arrays and objects stand within each other more than ``levels`` times."""
    level = [value]
    for _ in range(levels + 1):
        containers = [one for one in level if isinstance(one, dict | list)]
        if not containers:
            return False
        level = [inner for one in containers for inner in (one.values() if isinstance(one, dict) else one)]
    return True
