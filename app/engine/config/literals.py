"""What of one text of a config is a literal secret: around placeholders, or within an address."""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote_plus

from app.engine.field_names import is_plain_name
from app.engine.json_types import JSON
from app.engine.templating.placeholders import literal_pieces

_SHORTEST: Final = 4
_WORDS_AROUND: Final = re.compile(
    r"(?<![^\W_])(?:bearer|basic|token|api[-_]?key|key|digest|oauth|zoho-oauthtoken|ssws|bot|jwt|geniekey)(?![^\W_])",
    re.IGNORECASE,
)
"""Schemes of authorization, and the words that go with them."""
_SIGNS: Final = re.compile(r"[^\w]+")
_USER: Final = re.compile(r"[a-z]+://([^/?#@\s]+)@", re.IGNORECASE)
_ORIGIN: Final = re.compile(r"[a-z]+://[^/?#\s]*", re.IGNORECASE)
_SHORTEST_SEGMENT: Final = 20
_LEAST_CHANGES: Final = 3
_CHANGE: Final = re.compile(r"[A-Za-z](?=[0-9])|[0-9](?=[A-Za-z])")
"""From letters to digits, or back: what is made up by chance has several."""


def value_secrets(value: JSON) -> frozenset[str]:
    """Return what of a header's, a parameter's or a field's value is secret; nothing where placeholders say it all."""
    if value is None or isinstance(value, bool | dict | list):
        return frozenset()
    text = str(value)
    pieces = literal_pieces(text)
    if not _is_long("".join(pieces)):
        return frozenset()
    if "{{" in text:
        return frozenset(piece.strip() for piece in pieces if _is_long(piece))
    return frozenset({text, text.partition(" ")[2].strip() or text})


def address_secrets(text: str, plain: frozenset[str]) -> frozenset[str]:
    """Return what of an address is secret: its user, parameters by other names than plain ones, a path's tokens."""
    literal = "".join(literal_pieces(text))
    address, _, query = literal.partition("#")[0].partition("?")
    user = _USER.match(address)
    segments = _ORIGIN.sub("", address).split("/")
    found = {part for part in re.split(":", user[1]) if _is_long(part)} if user else set()
    found |= {segment for segment in segments if _is_token(segment)}
    return frozenset(found.union(*_parameter_secrets(query, plain)))


def _parameter_secrets(query: str, plain: frozenset[str]) -> Iterator[frozenset[str]]:
    for pair in query.split("&"):
        name, mark, value = pair.partition("=")
        if mark and not (is_plain_name(name) or unquote_plus(name).lower() in plain):
            yield value_secrets(value) | value_secrets(unquote_plus(value))
        elif _is_token(pair):
            yield frozenset({pair})


def _is_long(text: str) -> bool:
    return len(_SIGNS.sub("", _WORDS_AROUND.sub("", text))) >= _SHORTEST


def _is_token(segment: str) -> bool:
    return len(segment) >= _SHORTEST_SEGMENT and len(_CHANGE.findall(segment)) >= _LEAST_CHANGES
