"""Build the path of a request so that it never leads elsewhere than it reads, however often it is decoded.

A template is sent as it is written, with the values of its placeholders encoded once. An id is one segment, whatever
it holds. Other values may be a few, as in ``repos/{{query.full_name}}/issues``, and with the cast ``segment`` they are
one, too; what has ``encoded`` is encoded already.
"""

import re
import unicodedata
from typing import Final
from urllib.parse import quote, unquote

from app.engine.errors import Failure, InvalidInputError
from app.engine.json_types import JSON, JsonObject
from app.engine.paths import Path
from app.engine.record_errors import SourceError
from app.engine.templating.placeholders import Template
from app.engine.templating.tokens import Token

# What may stand in a URL as it is; "%" too, since a part may be encoded already.
_URL_CHARACTERS: Final = "%/:=&?~+!$,;'@()*[]"
_STRAY_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SELF_ENCODING: Final = frozenset({"segment", "encoded"})

_MOST_DECODINGS: Final = 8
"""Servers between here and the API may decode a path more than once."""
_SEPARATOR: Final = re.compile(r"[/\\]")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_MARK: Final = re.compile(r"[/?#]")
_OTHER_PLACE: Final = re.compile(r"[/\\]{2}|[A-Za-z][A-Za-z0-9+.-]*:[/\\]")
# What lenient servers read as ASCII: UTF-8 that is longer than it need be, and IIS's own escapes.
_OVERLONG: Final = re.compile(
    r"%(?:c|e0%8|f0%80%8|f8%80%80%8|fc%80%80%80%8)([01])%([89ab][0-9a-f]|2[ef]|5c)", re.IGNORECASE
)
_WIDE: Final = re.compile(r"%u([0-9a-f]{4})", re.IGNORECASE)


def encode_address(address: str) -> str:
    """Percent-encode what no URL may hold, such as spaces and letters beyond ASCII, and nothing twice."""
    return quote(_STRAY_PERCENT.sub("%25", address), safe=_URL_CHARACTERS, errors="replace")


def resolve_path(template: Template, scope: JsonObject) -> tuple[str, str]:
    """Return a path and its query; raise PlaceholderError, or SourceError for a value that leads elsewhere."""
    pieces = template.pieces
    texts = [piece if isinstance(piece, str) else piece.resolve_text(scope, write_value) for piece in pieces]
    for position, piece in enumerate(pieces):
        if isinstance(piece, Token) and not texts[position] and "undefined" not in piece.flags:
            _check_empty(texts, position, piece)
    path, _, query = encode_address("".join(texts)).lstrip("/").partition("?")
    return f"/{path}" if path else "", query


def write_value(path: Path, cast: str, value: JSON) -> JSON:
    """Return a placeholder's value as a path holds it; raise SourceError for a null."""
    if value is None:
        raise SourceError("request", f"'{'.'.join(path)}', a part of the path, is null")
    return value if cast in _SELF_ENCODING else _encode_value(value, "" if path[0] == "id" else "/")


def check_path(path: str) -> str:
    """Return a whole path as it is to be sent; raise SourceError for one that may lead elsewhere."""
    if (fault := _find_fault(path)) is not None:
        raise SourceError("request", f"a value {fault}")
    return path


def check_caller(path: str, field: str) -> str:
    """Return a caller's path, percent-encoded, without its first slash; raise InvalidInputError that names ``field``.

    A slash, ``?`` or ``#`` may be encoded once, as a character of its segment, and a backslash not at all.
    """
    fault = _find_fault(path) or _find_caller_fault(path)
    if fault is not None:
        raise InvalidInputError([Failure(field, fault)])
    return path.removeprefix("/")


def check_id(id: str) -> None:
    """Raise InvalidInputError for a caller's id that can be no segment of a path."""
    check_caller(quote(id, safe="", errors="replace"), "id")


def check_resource(name: str) -> None:
    """Raise InvalidInputError for a caller's resource that is no segment of a path as it is written."""
    if _MARK.search(name):
        raise InvalidInputError([Failure("resource", "holds a '/', '?' or '#', which no resource's name does")])
    check_caller(encode_address(name), "resource")


def _find_fault(path: str) -> str | None:
    for form in _list_decodings(path):
        if _CONTROL.search(form):
            return "puts a line break or another control character into the path"
        if any(_is_dot_segment(segment) for segment in _SEPARATOR.split(form)):
            return "makes '.' or '..' a segment of the path, which could lead out of the integration's base_url"
    return None if _is_plain(form) else f"is percent-encoded more than {_MOST_DECODINGS} times"


def _find_caller_fault(path: str) -> str | None:
    forms = _list_decodings(path)
    if any(_OTHER_PLACE.match(form) for form in forms):
        return "expected a path below the integration's base_url, found the address of another place"
    if any("\\" in form for form in forms):
        return "holds a backslash"
    marks = [len(_MARK.findall(form)) for form in forms]
    return "holds a '/', '?' or '#' that is percent-encoded twice" if marks[1:2] != marks[-1:] else None


def _list_decodings(path: str) -> list[str]:
    """Return a path as it is sent, and what each server that decodes it once more would read."""
    forms = [_normalise(path)]
    while len(forms) <= _MOST_DECODINGS and not _is_plain(forms[-1]):
        forms.append(_normalise(_decode(forms[-1])))
    return forms if len(forms) > 1 else forms * 2


def _normalise(form: str) -> str:
    """Write wide and other forms of characters as plain ones, each by itself: marks in a row take square time."""
    return form if form.isascii() else "".join(map(_normalise_character, form))


def _normalise_character(character: str) -> str:
    return character if character.isascii() else unicodedata.normalize("NFKC", character)


def _is_plain(form: str) -> bool:
    return "%" not in form or _decode(form) == form


def _decode(form: str) -> str:
    text = _OVERLONG.sub(lambda found: chr(int(found[1]) << 6 | int(found[2], 16) & 0x3F), form)
    return unquote(_WIDE.sub(lambda found: chr(int(found[1], 16)), text))


def _is_dot_segment(segment: str) -> bool:
    """Whether a server may take a segment for a dot segment: some cut it at ``;``, some strip it."""
    return segment.partition(";")[0].strip() in (".", "..")


def _encode_value(value: JSON, safe: str) -> JSON:
    match value:
        case str():
            return quote(value, safe=safe, errors="replace")
        case list():
            return [_encode_value(item, safe) for item in value]
        case dict():
            return {name: _encode_value(item, safe) for name, item in value.items()}
        case _:
            return value


def _check_empty(texts: list[str], position: int, token: Token) -> None:
    """Refuse an empty segment: ``/tickets//comments`` and ``/tickets/`` are other places than what was meant."""
    before, after = "".join(texts[:position]), "".join(texts[position + 1 :])
    if "?" not in before and before[-1:] in ("", "/") and after[:1] in ("", "/", "?"):
        raise SourceError("request", f"'{{{{{token.source}}}}}', a segment of the path, is an empty text")
