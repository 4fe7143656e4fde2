"""Headers that a mapping makes: checked, since they go onto the wire as they are."""

import re
from typing import Final

from app.engine.config.reader import type_name
from app.engine.json_types import JsonObject
from app.engine.record_errors import MappingError

_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,200}")
_RESERVED_HEADERS: Final = frozenset(
    {"host", "content-length", "content-type", "transfer-encoding", "connection", "upgrade", "set-cookie", "location"}
)


def header_texts(headers: JsonObject, key: str) -> JsonObject:
    """Return headers as texts; raise MappingError for what is no header that a mapping may set."""
    texts: JsonObject = {}
    for name, value in headers.items():
        text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _RESERVED_HEADERS:
            raise MappingError(key, f"'{name[:100]}' is no header that a mapping may set")
        if text is not None and not (isinstance(text, str) and text.isprintable()):
            raise MappingError(key, f"expected a text in one line as '{name}', found {type_name(value)}")
        texts[name] = text
    return texts
