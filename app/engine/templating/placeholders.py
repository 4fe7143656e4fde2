"""Placeholders such as ``{{args.user_id:int}}`` in any JSON value, parsed once, resolved many times (docs/wire.md C5).

A value that is one placeholder resolves to a typed value; placeholders within text resolve to text, which is not parsed
again. Text that looks like a placeholder and is none is refused; ``{{"{{"}}`` stands for two braces.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from app.engine.errors import Failure, InvalidInputError
from app.engine.json_types import JSON, JsonObject
from app.engine.paths import UNDEFINED, Path
from app.engine.record_errors import PlaceholderError, UnresolvedPlaceholderError
from app.engine.templating.tokens import Scope, Token, parse_token

MERGE_KEY: Final = "$truto_merge"
MAX_DEPTH: Final = 64

_TOKEN: Final = re.compile(r'\{\{(?:\s*"(?P<literal>[^"]*)"\s*|(?P<token>[^{}]*))\}\}')
_SHOWN_CHARACTERS: Final = 60
_EXPECTED: Final = 'expected one such as {{args.id}}, or {{"{{"}} for two braces as they are'


@dataclass(frozen=True, slots=True)
class _Text:
    parts: tuple[str | Token, ...]


@dataclass(frozen=True, slots=True)
class _Array:
    items: tuple["_Node", ...]


@dataclass(frozen=True, slots=True)
class _Object:
    fields: tuple[tuple[str, "_Node"], ...]


_Node: TypeAlias = Token | _Text | _Array | _Object | str | int | float | None


@dataclass(frozen=True, slots=True)
class Template:
    """A JSON value with its placeholders parsed."""

    root: _Node
    references: frozenset[Path]
    """Every path that it may read."""

    @property
    def pieces(self) -> tuple[str | Token, ...]:
        """The literal and the other parts of a template that is a text, in their order."""
        match self.root:
            case str() | Token() as only:
                return (only,)
            case _Text(parts):
                return parts
            case _:
                raise TypeError("only a text has pieces")

    @property
    def unfilled(self) -> frozenset[str]:
        """The placeholders that are left out of a text whose rest is sent, such as a filter without its date."""
        return frozenset(_list_unfilled(self.root))

    def resolve(self, scope: Scope) -> JSON:
        """Fill the placeholders in; raise PlaceholderError for one that has no value.

        A key or item whose value is undefined is left out; an undefined template resolves to UNDEFINED.
        """
        try:
            return _resolve(self.root, scope)
        except RecursionError as error:
            # A template is bounded by MAX_DEPTH, but the values of a scope come from outside.
            paths = ", ".join(sorted(".".join(path) for path in self.references))
            raise PlaceholderError(paths, f"one of these is nested too deeply: {paths}") from error


def parse(value: JSON) -> Template:
    """Parse a JSON value; raise InvalidInputError with every placeholder that is wrong."""
    failures: list[Failure] = []
    root = _parse(value, (), failures)
    if failures:
        raise InvalidInputError(failures)
    return Template(root, frozenset(_list_paths(root)))


def remove_placeholders(text: str) -> str:
    """Return a text without its placeholders."""
    return _TOKEN.sub("", text)


def list_literal_pieces(text: str) -> list[str]:
    """Return the literal parts of a text: those around its placeholders, and their defaults."""
    pieces, end = [], 0
    for found in _TOKEN.finditer(text):
        pieces += [text[end : found.start()], _read_literal(found)]
        end = found.end()
    return [piece for piece in (*pieces, text[end:]) if piece]


def _read_literal(found: re.Match[str]) -> str:
    if found["literal"] is not None:
        return found["literal"]
    try:
        default = parse_token(found["token"]).default
    except ValueError:
        return found[0]
    return default[0] if default is not None else ""


def _parse(value: JSON, at: Path, failures: list[Failure]) -> _Node:
    match value:
        case dict() | list() if len(at) >= MAX_DEPTH:
            failures.append(Failure(".".join(at), f"is nested deeper than {MAX_DEPTH} levels"))
            return None
        case dict():
            return _parse_object(value, at, failures)
        case list():
            return _Array(tuple(_parse(item, (*at, str(index)), failures) for index, item in enumerate(value)))
        case str():
            return _parse_text(value, at, failures)
        case _:
            scalar: bool | int | float | None = value
            return scalar


def _parse_object(value: JsonObject, at: Path, failures: list[Failure]) -> _Node:
    for key in value:
        if "{{" in str(key):
            failures.append(Failure(".".join((*at, str(key))), "a key holds no placeholders, its value may"))
    return _Object(tuple((key, _parse(item, (*at, str(key)), failures)) for key, item in value.items()))


def _parse_text(text: str, at: Path, failures: list[Failure]) -> _Node:
    if "{{" not in text:
        return text
    parts: list[str | Token] = []
    end = 0
    for found in _TOKEN.finditer(text):
        parts += [_check_braces(text[end : found.start()], at, failures), _parse_part(found, at, failures)]
        end = found.end()
    parts.append(_check_braces(text[end:], at, failures))
    return _join(parts)


def _parse_part(found: re.Match[str], at: Path, failures: list[Failure]) -> str | Token:
    if found["literal"] is not None:
        return found["literal"]
    try:
        return parse_token(found["token"])
    except ValueError as error:
        failures.append(Failure(".".join(at), f"placeholder '{found[0]}' {error}"))
        return ""


def _check_braces(text: str, at: Path, failures: list[Failure]) -> str:
    """Refuse braces outside of placeholders: they would be sent as they are."""
    begin = text.find("{{")
    if begin >= 0:
        shown = text[begin : begin + _SHOWN_CHARACTERS]
        message = f"'{shown}' is no placeholder: {_EXPECTED}"
        failures.append(Failure(".".join(at), message))
    return text


def _join(parts: list[str | Token]) -> _Node:
    joined: list[str | Token] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        elif part != "":
            joined.append(part)
    match joined:
        case []:
            return ""
        case [str() | Token() as only]:
            return only
        case _:
            return _Text(tuple(joined))


def _list_unfilled(node: _Node) -> Iterator[str]:
    match node:
        case _Text(parts):
            yield from (part.source for part in parts if isinstance(part, Token) and part.may_be_undefined)
        case _Array(items):
            for item in items:
                yield from _list_unfilled(item)
        case _Object(fields):
            for _, item in fields:
                yield from _list_unfilled(item)
        case _:
            return


def _list_paths(node: _Node) -> Iterator[Path]:
    match node:
        case Token():
            yield from node.paths
        case _Text(children) | _Array(children):
            for child in children:
                yield from _list_paths(child)
        case _Object(fields):
            for _, child in fields:
                yield from _list_paths(child)


def _resolve(node: _Node, scope: Scope) -> JSON:
    match node:
        case Token():
            return node.resolve_value(scope)
        case _Text(parts):
            return "".join(part if isinstance(part, str) else part.resolve_text(scope) for part in parts)
        case _Array(items):
            return [item for item in (_resolve(item, scope) for item in items) if item is not UNDEFINED]
        case _Object(fields):
            resolved = {key: (_resolve_merge if key == MERGE_KEY else _resolve)(field, scope) for key, field in fields}
            return _merge_sources({key: value for key, value in resolved.items() if value is not UNDEFINED})
        case _:
            return node


def _resolve_merge(node: _Node, scope: Scope) -> JSON:
    """Resolve what is to be merged, without those sources that are not there."""
    if isinstance(node, _Array):
        return [_resolve_merge(item, scope) for item in node.items]
    try:
        return _resolve(node, scope)
    except UnresolvedPlaceholderError:
        if isinstance(node, Token | _Text):
            return UNDEFINED
        raise


def _merge_sources(value: JsonObject) -> JsonObject:
    """Merge the objects at ``$truto_merge`` into the object around it: later wins, anything else is skipped."""
    sources = value.pop(MERGE_KEY, None)
    for source in sources if isinstance(sources, list) else [sources]:
        if isinstance(source, dict):
            value = _deep_merge(value, source)
    return value


def _deep_merge(left: JSON, right: JSON) -> JSON:
    match left, right:
        case dict(), dict():
            shared = {key: _deep_merge(left[key], right[key]) for key in right if key in left}
            return {**left, **right, **shared}
        case list(), list():
            return left + right
        case _:
            return right
