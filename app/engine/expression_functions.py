"""The functions that expressions know beside JSONata's own, and those of JSONata's that are replaced.

Each one takes and gives JSON; a missing argument is None, and None is given for nothing. Their time is at most about
linear in the size of their arguments, because the limits of an evaluation do not reach into them.
"""

from collections.abc import Callable, Mapping
from typing import Final

import orjson

from app.engine.json_types import JSON


def distinct(value: JSON = None) -> JSON:
    """Replace JSONata's, which compares every item with every other and does not look at the clock."""
    if not isinstance(value, list) or len(value) < 2:
        return value
    seen: dict[bytes, JSON] = {}
    for item in value:
        seen.setdefault(orjson.dumps(item, option=orjson.OPT_SORT_KEYS), item)
    return list(seen.values())


def first_non_empty(*values: JSON) -> JSON:
    """Give the first value that is not null, an empty text, an empty array or an empty object."""
    return next((value for value in values if value is not None and value not in ("", [], {})), None)


FUNCTIONS: Final[Mapping[str, Callable[..., JSON]]] = {
    "distinct": distinct,
    "firstNonEmpty": first_non_empty,
}
