"""The headers of a request: their precedence, and those that are refused."""

import re
from typing import Final

from multidict import CIMultiDict

from app.engine.json_types import JSON, JsonObject
from app.engine.record_errors import SourceError
from app.sources.request_parts.bodies import to_text
from app.version import find_version

_USER_AGENT: Final = f"ferryman/{find_version()}"
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OF_THE_CONNECTION: Final = frozenset(
    {"content-length", "expect", "host", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""The host and the framing of a request. Connections to an upstream are shared: a wrong length would make the next
request, of any account, a part of this one; and another host's name would send secrets to an origin that they were not
given for."""
_NOT_IN_VALUES: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")


def build_headers(configured: JsonObject, content_type: str) -> CIMultiDict[str]:
    """Build the headers; later ones win, and a null removes one. Raise SourceError for an invalid one."""
    headers = CIMultiDict({"Accept": "application/json", "User-Agent": _USER_AGENT})
    if content_type:
        headers["Content-Type"] = content_type
    for name, value in configured.items():
        if value is None:
            headers.popall(name, None)
        else:
            headers[_check_name(name)] = _write_value(name, value)
    return headers


def _check_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        # Not shown: a name that was mixed up with its value is a secret.
        raise SourceError("request", "a header's name holds characters other than letters, digits and '-'")
    if name.lower() in _OF_THE_CONNECTION:
        message = f"header '{name}' is set by Ferryman alone, as it names the host and the length"
        raise SourceError("request", message)
    return name


def _write_value(name: str, value: JSON) -> str:
    if isinstance(value, dict):
        raise SourceError("request", f"header '{name}' is expected to be a text, found an object")
    texts = [to_text(item) for item in value if item is not None] if isinstance(value, list) else [to_text(value)]
    text = ", ".join(texts)
    if _NOT_IN_VALUES.search(text):
        raise SourceError("request", f"header '{name}' holds a line break or another control character")
    return text
