"""The headers of a request: which win, and which no header can be."""

import importlib.metadata
import re
from typing import Final

from multidict import CIMultiDict

from app.engine.json_types import JSON, JsonObject
from app.engine.record_errors import SourceError
from app.sources.request_parts.bodies import plain


def _version() -> str:
    try:
        return importlib.metadata.version("ferryman")
    except importlib.metadata.PackageNotFoundError:  # run from a checkout that is not installed
        return "dev"


_USER_AGENT: Final = f"ferryman/{_version()}"
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OF_THE_CONNECTION: Final = frozenset(
    {"content-length", "expect", "host", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""Who is asked, and where a request ends. Connections are shared by all that ask one upstream: whoever could say that a
body ends elsewhere would make the next request, of anybody, a part of one's own; and another host's name would lead
secrets past the origin that they were given for."""
_NOT_IN_VALUES: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")


def put_together(configured: JsonObject, content_type: str) -> CIMultiDict[str]:
    """Put headers together; later ones win, and a null takes one away. Raise SourceError for what can be none."""
    headers = CIMultiDict({"Accept": "application/json", "User-Agent": _USER_AGENT})
    if content_type:
        headers["Content-Type"] = content_type
    for name, value in configured.items():
        if value is None:
            headers.popall(name, None)
        else:
            headers[_checked_name(name)] = _text(name, value)
    return headers


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        # Not shown: who mixes up name and value has a secret here.
        raise SourceError("request", "a header's name holds characters other than letters, digits and '-'")
    if name.lower() in _OF_THE_CONNECTION:
        message = f"header '{name}' is set by Ferryman alone, as it tells who is asked and how much is sent"
        raise SourceError("request", message)
    return name


def _text(name: str, value: JSON) -> str:
    if isinstance(value, dict):
        raise SourceError("request", f"header '{name}' is expected to be a text, found an object")
    texts = [plain(item) for item in value if item is not None] if isinstance(value, list) else [plain(value)]
    text = ", ".join(texts)
    if _NOT_IN_VALUES.search(text):
        raise SourceError("request", f"header '{name}' holds a line break or another control character")
    return text
