"""One placeholder, read from what stands between its braces: ``args.user_id:int|args.id?:1`` (docs/wire.md C5).

    token        = alternatives ["?:" default]
    alternatives = alternative *("|" alternative)
    alternative  = path *(" " path) *(":" word)
    default      = text *(":" word)
    word         = cast | flag; the cast comes first
    path         = keys with dots between them: see placeholder_paths
    cast         = str | int | num | bool | json | any | null | undefined | segment | encoded
    flag         = null | undefined | ignore-empty-str

The first path where something is gives the value; null and "" are something. Flags count for the whole token, of both
undefined before null; ignore-empty-str without a cast gives the value as it is.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from app.engine.errors import PlaceholderError, UnresolvedPlaceholderError
from app.engine.json_types import JSON
from app.engine.paths import UNDEFINED, Path, lookup
from app.engine.redaction import MASK
from app.engine.templating import token_paths
from app.engine.templating.casts import CASTS, cast_whole, cast_within_text

Scope = Mapping[str, JSON]
Writing: TypeAlias = Callable[[Path, str, JSON], JSON]
"""What is made of a value of a scope, by its path and the cast that follows; a default is left as it is."""

_WORD_FOLLOWS: Final = re.compile(r":(?=[\w\s])")
_IGNORE_EMPTY: Final = "ignore-empty-str"
_OF_CALLERS: Final = frozenset({"args", "body", "id", "query", "rawQuery", "resources"})
"""Parts of a scope that may hold the mask as any other text."""
_FLAGS: Final = frozenset({"null", "undefined", _IGNORE_EMPTY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One placeholder, ready to be filled in."""

    source: str
    """What stands between the braces; errors show it."""
    readings: tuple[tuple[Path, str], ...]
    """Where to look, in this order, and how to cast what is there."""
    default: tuple[str, str] | None
    """A text and its cast, for when nothing is anywhere."""
    flags: frozenset[str]

    @property
    def paths(self) -> frozenset[Path]:
        """Every path that it may read."""
        return frozenset(path for path, _ in self.readings)

    def value(self, scope: Scope) -> JSON:
        """Return the typed value of a token that stands alone; raise PlaceholderError."""
        value, cast = self._find(scope)
        try:
            return cast_whole(value, cast)
        except ValueError as error:
            raise self._error(str(error)) from error

    def text(self, scope: Scope, written: Writing | None = None) -> str:
        """Return the text of a token within other text; raise PlaceholderError."""
        value, cast = self._find(scope, written)
        try:
            return cast_within_text(value, cast)
        except ValueError as error:
            raise self._error(str(error)) from error

    def _find(self, scope: Scope, written: Writing | None = None) -> tuple[JSON, str]:
        for path, cast in self.readings:
            value = lookup(scope, path)
            if value == MASK and path[0] not in _OF_CALLERS:
                # Sent as it is, a mask would be a value that nobody meant: a filter that finds nothing, say.
                raise self._error("holds a value of the account's context that no non_secret of its integration lists")
            if value is not UNDEFINED and not (value == "" and _IGNORE_EMPTY in self.flags):
                return value if written is None else written(path, cast, value), cast
        if self.default is not None:
            return self.default
        if "undefined" in self.flags:
            return UNDEFINED, "any"
        if "null" in self.flags:
            return None, "any"
        raise UnresolvedPlaceholderError(self._path(), self._said("does not resolve: nothing is there"))

    def _error(self, message: str) -> PlaceholderError:
        return PlaceholderError(self._path(), self._said(message))

    def _path(self) -> str:
        return ".".join(self.readings[0][0])

    def _said(self, message: str) -> str:
        return f"placeholder '{{{{{self.source}}}}}' {message}"


def parse_token(source: str) -> Token:
    """Read a placeholder; raise ValueError that says what is wrong."""
    body, default_source = token_paths.split_default(source)
    text, keys = token_paths.mask(body)
    default, default_cast, flags = _split_words(default_source)
    # What is typed as text keeps the space before it.
    default = default.rstrip() if default_cast == "str" else default.strip()
    readings: list[tuple[Path, str]] = []
    named = iter(keys)
    for alternative in text.split("|"):
        paths, cast, more_flags = _split_words(alternative)
        readings += [(path, cast) for path in _parse_paths(paths, named)]
        flags |= more_flags
    return Token(
        source=source.strip(),
        readings=tuple(readings),
        default=(default, default_cast) if default.strip() else None,
        flags=flags,
    )


def _parse_paths(text: str, keys: Iterator[str]) -> list[Path]:
    if ":" in text:
        raise ValueError(f"holds no dotted path where '{token_paths.shown(text)}' stands")
    return token_paths.read_paths(text, keys)


def _split_words(text: str) -> tuple[str, str, frozenset[str]]:
    """Split ``head:cast:flag`` into its head, its cast (``str`` when it has none) and its flags."""
    head, *suffixes = _WORD_FOLLOWS.split(text)
    words = [suffix.strip() for suffix in suffixes]
    if words and words[0] == _IGNORE_EMPTY and _FLAGS.issuperset(words):
        # The flag stands where a cast does: the value is given as it is.
        return head, "any", _FLAGS.intersection(words)
    cast, *rest = [word for word in words if word != _IGNORE_EMPTY] or ["str"]
    if cast not in CASTS:
        raise ValueError(f"holds a ':' before what is no cast: '{cast}' is no cast, expected one of {', '.join(CASTS)}")
    for word in rest:
        if word not in _FLAGS:
            raise ValueError(f"holds ':{word}' after ':{cast}': expected one of {', '.join(sorted(_FLAGS))} there")
    return head, cast, _FLAGS.intersection(words)
