"""One placeholder, parsed from the text between its braces: ``args.user_id:int|args.id?:1`` (docs/wire.md C5).

    token        = alternatives ["?:" default]
    alternatives = alternative *("|" alternative)
    alternative  = path *(" " path) *(":" word)
    default      = text *(":" word)
    word         = cast | flag; the cast comes first
    path         = keys with dots between them, see below
    cast         = str | int | num | bool | json | any | null | undefined | segment | encoded
    flag         = null | undefined | ignore-empty-str

The first path with a value is read; null and "" are values. Flags apply to the whole token, undefined before null;
ignore-empty-str without a cast leaves the value as it is.

A path is such as ``users.id``, ``x[0].id``, ``a.@odata.id``, ``a["b c"]`` or ``a.`dc:title` ``. A key that begins with
``@`` takes the rest of its path, since nothing is below an XML attribute and OData's own keys have dots. A key of any
characters but its quotes stands in backticks or double quotes, or in brackets and any quotes.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from app.engine.json_types import JSON
from app.engine.paths import UNDEFINED, Path, lookup
from app.engine.record_errors import PlaceholderError, UnresolvedPlaceholderError
from app.engine.redaction import MASK
from app.engine.templating.casts import CASTS, cast_whole, cast_within_text

_KEY_MARK: Final = "\x00"
_BRACKETS_MARK: Final = "\x01"
_QUOTED: Final = re.compile(
    r"""\[[^\S\n]*(?:(?P<index>-?[0-9]{1,9})|'(?P<a>[^']+)'|"(?P<b>[^"]+)"|`(?P<c>[^`]+)`)[^\S\n]*\]"""
    r"""|`(?P<d>[^`]+)`|"(?P<e>[^"]+)\""""
)
_SEGMENT: Final = re.compile(
    rf"(?:{_KEY_MARK}|(?P<name>[\w\-/?$#+~%&=!][\w\-/?$#+~%&=!@]*)|(?P<rest>@[\w\-/?$#+~%&=!@.]*[\w\-/?$#+~%&=!]))"
    rf"(?P<brackets>{_BRACKETS_MARK}*)(?P<end>\.|$)"
)
_DEFAULT: Final = re.compile(rf"(?:{_QUOTED.pattern})|(?P<default>\?:)")


def split_default(source: str) -> tuple[str, str]:
    """Split a placeholder at the ``?:`` outside of quotes."""
    for found in _DEFAULT.finditer(source):
        if found["default"]:
            return source[: found.start()], source[found.end() :]
    return source, ""


def mask(source: str) -> tuple[str, tuple[str, ...]]:
    """Put a mark for each quoted key and pair of brackets, so that a text can be split; return it and the keys.

    Raises ValueError for characters that no placeholder may hold.
    """
    if _KEY_MARK in source or _BRACKETS_MARK in source:
        raise ValueError("holds a control character")
    keys = tuple(_read_key(found) for found in _QUOTED.finditer(source))
    return _QUOTED.sub(_choose_mark, source), keys


def read_paths(text: str, keys: Iterator[str]) -> list[Path]:
    """Read the paths of a masked text, separated by spaces, with its marks' keys; raise ValueError."""
    paths = [_read_path(path, keys) for path in text.split()]
    if not paths or None in paths:
        raise ValueError(f"holds no dotted path where '{show_masked(text)}' stands; other keys are put in backticks")
    return [path for path in paths if path is not None]


def parse_path(source: str) -> Path:
    """Read one path; raise ValueError that says what is wrong."""
    text, keys = mask(source)
    paths = read_paths(text, iter(keys))
    if len(paths) > 1:
        raise ValueError(f"holds several paths where '{source.strip()}' stands")
    return paths[0]


def show_masked(text: str) -> str:
    """Show a masked text in an error."""
    return text.strip().replace(_KEY_MARK, "`…`").replace(_BRACKETS_MARK, "[…]")


def _read_path(text: str, keys: Iterator[str]) -> Path | None:
    path: list[str] = []
    at = 0
    while found := _SEGMENT.match(text, at):
        path.append(found["name"] or found["rest"] or next(keys))
        path += [next(keys) for _ in found["brackets"]]
        at = found.end()
        if not found["end"]:
            return tuple(path)
    return None


def _choose_mark(found: re.Match[str]) -> str:
    return _BRACKETS_MARK if found[0].startswith("[") else _KEY_MARK


def _read_key(found: re.Match[str]) -> str:
    return next(group for group in found.groups() if group is not None)


Scope = Mapping[str, JSON]
Writing: TypeAlias = Callable[[Path, str, JSON], JSON]
"""Converts a value of a scope, by its path and the cast that follows; a default is left as it is."""

_WORD_FOLLOWS: Final = re.compile(r":(?=[\w\s])")
_WORD_FOLLOWS_DEFAULT: Final = re.compile(r":(?=[^\W\d]|\s)")
"""No cast begins with a digit: a default may be a time or an address with a port."""
_IGNORE_EMPTY: Final = "ignore-empty-str"
_OF_CALLERS: Final = frozenset({"args", "body", "id", "query", "rawQuery", "resources"})
"""Parts of a scope that may hold the mask as any other text."""
_FLAGS: Final = frozenset({"null", "undefined", _IGNORE_EMPTY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One placeholder, ready to be filled in."""

    source: str
    """The text between the braces; errors show it."""
    readings: tuple[tuple[Path, str], ...]
    """Where to look, in this order, and how to cast what is there."""
    default: tuple[str, str] | None
    """A text and its cast, for when nothing is anywhere."""
    flags: frozenset[str]

    @property
    def may_be_undefined(self) -> bool:
        """Whether it is left out where it has no value."""
        return self.default is None and "undefined" in self.flags

    @property
    def paths(self) -> frozenset[Path]:
        """Every path that it may read."""
        return frozenset(path for path, _ in self.readings)

    def resolve_value(self, scope: Scope) -> JSON:
        """Return the typed value of a token that is a whole value; raise PlaceholderError."""
        value, cast = self._find(scope)
        try:
            return cast_whole(value, cast)
        except ValueError as error:
            raise self._make_error(str(error)) from error

    def resolve_text(self, scope: Scope, written: Writing | None = None) -> str:
        """Return the text of a token within other text; raise PlaceholderError."""
        value, cast = self._find(scope, written)
        try:
            return cast_within_text(value, cast)
        except ValueError as error:
            raise self._make_error(str(error)) from error

    def _find(self, scope: Scope, written: Writing | None = None) -> tuple[JSON, str]:
        for path, cast in self.readings:
            value = lookup(scope, path)
            if value == MASK and path[0] not in _OF_CALLERS:
                # Sent as it is, a mask would be a wrong value, such as a filter that finds nothing.
                raise self._make_error(
                    "holds a value of the account's context that no non_secret of its integration lists"
                )
            if value is not UNDEFINED and not (value == "" and _IGNORE_EMPTY in self.flags):
                return value if written is None else written(path, cast, value), cast
        if self.default is not None:
            return self.default
        if "undefined" in self.flags:
            return UNDEFINED, "any"
        if "null" in self.flags:
            return None, "any"
        raise UnresolvedPlaceholderError(self._name_path(), self._describe("does not resolve: nothing is there"))

    def _make_error(self, message: str) -> PlaceholderError:
        return PlaceholderError(self._name_path(), self._describe(message))

    def _name_path(self) -> str:
        return ".".join(self.readings[0][0])

    def _describe(self, message: str) -> str:
        return f"placeholder '{{{{{self.source}}}}}' {message}"


def parse_token(source: str) -> Token:
    """Read a placeholder; raise ValueError that says what is wrong."""
    body, default_source = split_default(source)
    text, keys = mask(body)
    default, default_cast, flags = _split_words(default_source, _WORD_FOLLOWS_DEFAULT)
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
        raise ValueError(f"holds no dotted path where '{show_masked(text)}' stands")
    return read_paths(text, keys)


def _split_words(text: str, follows: re.Pattern[str] = _WORD_FOLLOWS) -> tuple[str, str, frozenset[str]]:
    """Split ``head:cast:flag`` into its head, its cast (``str`` when it has none) and its flags."""
    head, *suffixes = follows.split(text)
    words = [suffix.strip() for suffix in suffixes]
    if words and words[0] == _IGNORE_EMPTY and _FLAGS.issuperset(words):
        # The flag is in the place of a cast: the value stays as it is.
        return head, "any", _FLAGS.intersection(words)
    cast, *rest = [word for word in words if word != _IGNORE_EMPTY] or ["str"]
    if cast not in CASTS:
        raise ValueError(f"holds a ':' before what is no cast: '{cast}' is no cast, expected one of {', '.join(CASTS)}")
    for word in rest:
        if word not in _FLAGS:
            raise ValueError(f"holds ':{word}' after ':{cast}': expected one of {', '.join(sorted(_FLAGS))} there")
    return head, cast, _FLAGS.intersection(words)
