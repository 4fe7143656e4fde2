"""Base URLs, whose placeholders can not lead to another host than the one that is written.

Within a host a placeholder stands for letters, digits and hyphens of one DNS label; as a whole host for a host's name,
as a port for digits. At the beginning it stands for ``http`` or ``https`` before ``://``, else for an origin, with or
without a path. Behind the host it stands for a part of the path, as in every path.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

from app.engine.json_types import JSON, JsonObject
from app.engine.paths import Path
from app.engine.record_errors import SourceError
from app.engine.templating import casts, request_paths
from app.engine.templating.placeholders import Template
from app.engine.templating.tokens import Token, Writing

_HOLE: Final = "\0"
"""Stands for a placeholder, since no stored text holds it."""

_PARTS: Final = re.compile(
    rf"(?:(?P<scheme>https?|{_HOLE})://(?:(?P<user>[^/?#]*)@)?(?P<host>\[[^\]/?#]*\]|[^/?#:]*)(?::(?P<port>[^/?#]*))?"
    rf"|(?P<origin>{_HOLE}))(?P<tail>(?:[/?].*)?)",
    re.IGNORECASE | re.DOTALL,
)
_LABEL: Final = re.compile(r"[A-Za-z0-9-]{1,63}")
_HOST: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?(?::[0-9]{1,5})?")
_PORT: Final = re.compile(r"[0-9]{1,5}")
_SCHEME: Final = re.compile("https?", re.IGNORECASE)
_ORIGIN: Final = re.compile(
    r"https?://(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::[0-9]{1,5})?(?:/[^?#\\\x00-\x20\x7f]*)?", re.IGNORECASE
)
_REGISTRIES: Final = frozenset({"ac", "co", "com", "edu", "go", "gob", "gov", "ne", "net", "or", "org"})
"""Second labels below which, with two letters behind them, anybody can register a name: ``co.uk``."""


@dataclass(frozen=True, slots=True)
class _Marked:
    """A template's text with a mark for each placeholder, in its parts."""

    parts: re.Match[str]
    tokens: Iterator[Token]

    def fill(self, part: str, scope: JsonObject, written: Writing) -> str:
        """Return a part with its placeholders resolved; to be called for parts from left to right."""
        texts = (self.parts[part] or "").split(_HOLE)
        return texts[0] + "".join(next(self.tokens).resolve_text(scope, written) + text for text in texts[1:])


def resolve_base_url(template: Template, scope: JsonObject, *, key: str) -> tuple[str, str]:
    """Return a URL and its query as they are sent; raise PlaceholderError or SourceError that names ``key``."""
    marked = _mark(template)
    if marked is None:
        raise SourceError("request", f"{key} is no http or https address whose placeholders are in their places")
    address, _, query = request_paths.encode_address(_write(marked, scope, key)).partition("?")
    url = address.rstrip("/")
    if not _is_usable(url):
        raise SourceError("request", f"{key} does not resolve to an http or https address with a host")
    return url, query


def find_implied_host(template: Template) -> str | None:
    """Return the pattern of the hosts that a template itself names; None where it names none."""
    marked = _mark(template)
    if marked is None:
        return None
    if _is_whole(marked):
        return _find_default_host(marked)
    port = "" if marked.parts["port"] is None else f":{marked.parts['port'].replace(_HOLE, '*')}"
    host = marked.parts["host"].lower()
    if _HOLE not in host:
        return _write_pattern(marked.parts["scheme"], host + port, has_port=bool(port))
    domain = host.rpartition(_HOLE)[2].partition(".")[2]
    pattern = _write_pattern(marked.parts["scheme"], f"*.{domain}{port}", has_port=bool(port))
    return pattern if _is_registrable(domain) else None


def _write_pattern(scheme: str, pattern: str, *, has_port: bool) -> str:
    """Write a pattern of hosts for an address of a scheme: without one and a port it is by https."""
    return f"http://{pattern}" if scheme.lower() == "http" and not has_port else pattern


def _is_whole(marked: _Marked) -> bool:
    return bool(marked.parts["origin"]) or marked.parts["host"] == _HOLE


def _mark(template: Template) -> _Marked | None:
    pieces = template.pieces
    text = "".join(piece.replace(_HOLE, "") if isinstance(piece, str) else _HOLE for piece in pieces).strip()
    parts = _PARTS.fullmatch(text)
    return None if parts is None else _Marked(parts, iter([piece for piece in pieces if isinstance(piece, Token)]))


def _write(marked: _Marked, scope: JsonObject, key: str) -> str:
    parts = marked.parts
    if parts["origin"]:
        origin = marked.fill("origin", scope, _accept_only(_ORIGIN, "an http or https address, without a query", key))
        return origin.rstrip("/") + marked.fill("tail", scope, request_paths.write_value)
    host = (_HOST, "a host's name") if _is_whole(marked) else (_LABEL, "one DNS label")
    places = (
        ("", "scheme", "://", _accept_only(_SCHEME, "http or https", key)),
        ("", "user", "@", _write_user),
        ("", "host", "", _accept_only(*host, key)),
        (":", "port", "", _accept_only(_PORT, "digits", key)),
        ("", "tail", "", request_paths.write_value),
    )
    return "".join(
        before + marked.fill(part, scope, written) + after
        for before, part, after, written in places
        if parts[part] is not None
    )


def _accept_only(pattern: re.Pattern[str], expected: str, key: str) -> Writing:
    """Return what takes only values of a form; its error never shows the value."""

    def write(path: Path, _cast: str, value: JSON) -> JSON:
        text = _write_text(value)
        if pattern.fullmatch(text):
            return text
        raise SourceError("request", f"'{'.'.join(path)}' decides where {key} leads to: expected {expected}")

    return write


def _write_user(_path: Path, _cast: str, value: JSON) -> JSON:
    return quote(_write_text(value), safe="", errors="replace")


def _write_text(value: JSON) -> str:
    try:
        return "" if value is None else casts.write_text(value).strip()
    except ValueError:
        return ""


def _find_default_host(marked: _Marked) -> str | None:
    """Return the host behind ``?:``, the default for accounts that name none."""
    default = next(marked.tokens).default
    scheme = "http" if (marked.parts["scheme"] or "").lower() == "http" else "https"
    address = "" if default is None else default[0] if marked.parts["origin"] else f"{scheme}://{default[0]}"
    if not _is_usable(address):
        return None
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2].lower()
    return _write_pattern(parts.scheme, host, has_port=parts.port is not None) if host else None


def _is_registrable(domain: str) -> bool:
    """Whether the names below a domain all have one owner, judged by its form."""
    *_, second, top = ["", "", *domain.split(".")]
    is_registry = second in _REGISTRIES and len(top) == 2 and domain.count(".") == 1
    return bool(second and top) and not is_registry


def _is_usable(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
