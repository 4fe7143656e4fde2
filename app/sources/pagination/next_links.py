"""Links to the next page: the header ``Link``, and values that may be a link to follow or a parameter to send.

A link is a reference of RFC 3986 and is resolved against the request that was answered: absolute, ``//host/...`` or
relative. A value is opaque, and may look like anything: base64 begins with ``/`` and holds ``/``, ``+`` and ``=``.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

from app.engine.integrations.pagination import NextIs
from app.engine.json_types import JSON

_LINK: Final = re.compile(r"""<([^<>]*)>((?:\s*;\s*[^\s=;,<>]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s";,<>]*))?)*)""")
_PARAMETER: Final = re.compile(r""";\s*([^\s=;,]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s";,]*))""")
_ABSOLUTE: Final = re.compile(r"https?://[^/?#\s]", re.IGNORECASE)
_PATH: Final = re.compile(r"[^?#\t\r\n\"<>\\^`{|}]*")
_NAME: Final = r"[^\W\d][\w.~%$@:+*,\[\]-]*|[$@][\w.~%$@:\[\]-]+"
_QUERY: Final = re.compile(rf"&*(?:{_NAME})=[^&]*(?:&+(?:{_NAME})(?:=[^&]*)?)*&*")
_PAGE_NUMBER: Final = re.compile(r"(?:[\w.~%-]+/)*(?:page|pages|p)/[0-9]+/?", re.IGNORECASE)


def find_next_link(headers: Iterable[str]) -> str | None:
    """Return the ``rel="next"`` address of headers ``Link`` (RFC 8288), unless it has ``results="false"`` (Sentry)."""
    for header in headers:
        for address, parameters in _LINK.findall(header):
            named = dict(_list_parameters(parameters))
            if "next" in named.get("rel", "").lower().split() and named.get("results", "").lower() != "false":
                return str(address)
    return None


def find_link(value: JSON, *, requested: str, next_is: NextIs = NextIs.AUTO) -> str | None:
    """Return the reference to follow when a next value is a link, and None when it is to be sent as a value.

    ``requested`` is the URL of the list's first request; a link by ``auto`` is one of these:

    - ``https://...`` and ``http://...``; ``//host...`` of the requested host;
    - ``?name=value``, and a path from the root with such a query: ``/v1/items?after=a%2Fb``;
    - a path from the root that begins as the requested one does: ``/items/page/2`` after ``/items``;
    - a path that says that it is relative (``./``, ``../``), that ends in a page's number (``page/2``), or that has
      such a query and the requested path's last name: ``items?page=2`` and ``items.json?page=2`` after ``/v1/items``.
    """
    if next_is is NextIs.VALUE or value is None or isinstance(value, bool | dict | list):
        return None
    text = str(value).strip()
    if next_is is NextIs.LINK:
        return text
    return text if isinstance(value, str) and _is_link(text, requested) else None


def join_link(previous: JSON, value: JSON, *, requested: str, next_is: NextIs = NextIs.AUTO) -> JSON:
    """Return a next value as it is stored: a link on a page that was itself reached by a link is joined to that one.

    ``previous`` is the stored value of that page; None on the first. What was relative stays so, so that no
    secret of the first request's URL gets into a stored cursor.
    """
    reference = find_link(value, requested=requested, next_is=next_is)
    base = find_link(previous, requested=requested, next_is=next_is)
    if reference is None or base is None:
        return value
    try:
        return _join(base, reference)
    except ValueError:  # Its request fails with the error, after the page that named it is written.
        return value


def _join(base: str, reference: str) -> str:
    if _ABSOLUTE.match(base) or base.startswith("/") or reference.startswith("/") or _ABSOLUTE.match(reference):
        return urljoin(base, reference)
    # Both are relative: dots are left for the first request's path to answer.
    path = base.partition("#")[0].partition("?")[0]
    return path + reference if reference.startswith("?") else path[: path.rfind("/") + 1] + reference


def _is_link(text: str, requested: str) -> bool:
    if _ABSOLUTE.match(text):
        return True
    base = urlsplit(requested)
    head, mark, rest = text.partition("#")[0].partition("?")
    if text.startswith("//"):
        return _names_host(text, base)
    if not _PATH.fullmatch(head) or (mark and not _QUERY.fullmatch(rest)):
        return False
    return (mark != "" and head == "") or _is_path(head, base.path, has_query=mark != "")


def _names_host(text: str, base: SplitResult) -> bool:
    try:
        return urlsplit(text).hostname == base.hostname
    except ValueError:
        return False


def _is_path(head: str, requested: str, *, has_query: bool) -> bool:
    if head.startswith("/"):
        first = requested.split("/")[1:2]
        return has_query or (bool(first and first[0]) and head.startswith(f"/{first[0]}/"))
    if head.startswith(("./", "../")) or _PAGE_NUMBER.fullmatch(head):
        return True
    last = requested.rstrip("/").rpartition("/")[2].partition(".")[0]
    return has_query and last in {segment.partition(".")[0] for segment in head.split("/")} - {""}


def _list_parameters(text: str) -> Iterator[tuple[str, str]]:
    """List the parameters of a link, the first of a name last: it is the one that counts."""
    for name, quoted, plain in reversed(_PARAMETER.findall(text)):
        yield name.lower(), quoted or plain
