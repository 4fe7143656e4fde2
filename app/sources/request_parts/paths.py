"""The path of a request: its template as it is written, with the values of its placeholders encoded once.

An id is one segment, whatever it holds. Other values may be a few, as in ``repos/{{query.full_name}}/issues``, and with
the cast ``segment`` they are one, too; what has ``encoded`` is encoded already.
"""

from typing import Final
from urllib.parse import quote

from app.engine.errors import SourceError
from app.engine.json_types import JSON, JsonObject
from app.engine.paths import Path
from app.engine.placeholder_tokens import Token
from app.engine.placeholders import Template
from app.sources import origins

_SELF_ENCODING: Final = frozenset({"segment", "encoded"})
_DOTS: Final = frozenset({".", ".."})


def resolved(template: Template, scope: JsonObject) -> tuple[str, str]:
    """Return a path and its query; raise PlaceholderError, or SourceError for a value that leads elsewhere."""
    pieces = template.pieces
    texts = [piece if isinstance(piece, str) else piece.text(scope, _written) for piece in pieces]
    for position, piece in enumerate(pieces):
        if isinstance(piece, Token) and not texts[position] and "undefined" not in piece.flags:
            _check_empty(texts, position, piece)
    path, _, query = origins.encoded("".join(texts)).lstrip("/").partition("?")
    if any(segment.lower().replace("%2e", ".") in _DOTS for segment in path.split("/")):
        raise SourceError("request", "a value makes '.' or '..' a segment of the path")
    return f"/{path}" if path else "", query


def _written(path: Path, cast: str, value: JSON) -> JSON:
    if value is None:
        raise SourceError("request", f"'{'.'.join(path)}', a part of the path, is null")
    return value if cast in _SELF_ENCODING else _encoded(value, "" if path[0] == "id" else "/")


def _encoded(value: JSON, safe: str) -> JSON:
    match value:
        case str():
            return quote(value, safe=safe, errors="replace")
        case list():
            return [_encoded(item, safe) for item in value]
        case dict():
            return {name: _encoded(item, safe) for name, item in value.items()}
        case _:
            return value


def _check_empty(texts: list[str], position: int, token: Token) -> None:
    """Refuse an empty segment: ``/tickets//comments`` and ``/tickets/`` are other places than what was meant."""
    before, after = "".join(texts[:position]), "".join(texts[position + 1 :])
    if "?" not in before and before[-1:] in ("", "/") and after[:1] in ("", "/", "?"):
        raise SourceError("request", f"'{{{{{token.source}}}}}', a segment of the path, is an empty text")
