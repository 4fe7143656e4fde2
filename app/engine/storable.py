"""Make values storable that were made here, by an expression or a cast: what upstreams send is mended as it is read.

Postgres keeps neither U+0000 nor half of a surrogate pair. Both become U+FFFD, in names too.
"""

import re
from typing import Final

from app.engine.json_types import JSON

_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")


def storable(value: JSON) -> JSON:
    """Return the same value with no character that Postgres refuses."""
    match value:
        case str():
            return storable_text(value)
        case dict():
            return {storable_text(name): storable(one) for name, one in value.items()}
        case list():
            return [storable(one) for one in value]
        case _:
            return value


def storable_text(text: str) -> str:
    """Return the same text with no character that Postgres refuses."""
    return _UNSTORABLE.sub("\ufffd", text)
