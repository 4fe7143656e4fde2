"""The header ``Link`` (RFC 8288), by which answers name their next page."""

import re
from collections.abc import Iterable, Iterator

_LINK = re.compile(r"""<([^<>]*)>((?:\s*;\s*[^\s=;,<>]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s";,<>]*))?)*)""")
_PARAMETER = re.compile(r""";\s*([^\s=;,]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s";,]*))""")


def following(headers: Iterable[str]) -> str | None:
    """Return the address with ``rel="next"``; one that says ``results="false"``, as Sentry's do, leads to nothing."""
    for header in headers:
        for address, parameters in _LINK.findall(header):
            named = dict(_parameters(parameters))
            if "next" in named.get("rel", "").lower().split() and named.get("results", "").lower() != "false":
                return str(address)
    return None


def _parameters(text: str) -> Iterator[tuple[str, str]]:
    """List the parameters of a link, the first of a name last: it is the one that counts."""
    for name, quoted, plain in reversed(_PARAMETER.findall(text)):
        yield name.lower(), quoted or plain
