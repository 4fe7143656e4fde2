"""Placeholders: ``{{args.user_id:int?:1}}`` in any JSON value, parsed once and resolved many times (wire.md C5).

    token        = "{{" alternatives ["?:" default] "}}"
    alternatives = alternative *("|" alternative)
    alternative  = path *(" " path) [":" cast] *(":" flag)
    default      = text [":" cast]
    cast         = str | int | num | bool | json | any | null | undefined
    flag         = null | undefined | ignore-empty-str

A value that is one token gives a typed value; tokens within text give text. What a token gives is never read again.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from app.engine.casts import CASTS, text_of
from app.engine.errors import Failure, InvalidInputError, PlaceholderError
from app.engine.json_types import JSON, JsonObject
from app.engine.paths import UNDEFINED, Path, lookup, parse_path

__all__ = ["UNDEFINED", "Path", "Template", "lookup", "parse"]

MERGE_KEY: Final = "$truto_merge"
MAX_DEPTH: Final = 64

_TOKEN: Final = re.compile(r"\{\{([A-Za-z0-9_\-./|:?\s]+)\}\}")
_SUFFIX: Final = re.compile(r":(?=[\w\s])")
_FLAGS: Final = frozenset({"null", "undefined", "ignore-empty-str"})

Scope = Mapping[str, JSON]
Resolver = Callable[[Scope], JSON]


@dataclass(frozen=True, slots=True)
class Template:
    """A JSON value with its placeholders parsed."""

    resolver: Resolver
    references: frozenset[Path]
    """Every path that it reads."""

    @property
    def is_constant(self) -> bool:
        """Claim that it holds no placeholder."""
        return not self.references

    def resolve(self, scope: Scope) -> JSON:
        """Fill the placeholders in; raise PlaceholderError for one that has no value.

        A key or item whose value is undefined is left out; a template that is undefined as a whole gives UNDEFINED.
        """
        return self.resolver(scope)


def parse(value: JSON) -> Template:
    """Parse a JSON value; raise InvalidInputError with every placeholder that is wrong."""
    failures: list[Failure] = []
    template = _parse(value, (), failures)
    if failures:
        raise InvalidInputError(failures)
    return template


def _parse(value: JSON, at: Path, failures: list[Failure]) -> Template:
    if len(at) > MAX_DEPTH:
        failures.append(Failure(".".join(at[:3]), f"is nested deeper than {MAX_DEPTH} levels"))
        return _constant(None)
    match value:
        case str():
            return _parse_text(value, at, failures)
        case dict():
            return _object({key: _parse(item, (*at, str(key)), failures) for key, item in value.items()})
        case list():
            return _array([_parse(item, (*at, str(index)), failures) for index, item in enumerate(value)])
        case _:
            return _constant(value)


def _constant(value: JSON) -> Template:
    return Template(lambda scope: value, frozenset())


def _references(templates: Iterator[Template]) -> frozenset[Path]:
    return frozenset(path for template in templates for path in template.references)


def _object(items: Mapping[str, Template]) -> Template:
    def resolve(scope: Scope) -> JSON:
        resolved = {key: item.resolve(scope) for key, item in items.items()}
        kept = {key: item for key, item in resolved.items() if item is not UNDEFINED}
        return _merged(kept) if MERGE_KEY in kept else kept

    return Template(resolve, _references(iter(items.values())))


def _array(items: list[Template]) -> Template:
    def resolve(scope: Scope) -> JSON:
        resolved = (item.resolve(scope) for item in items)
        return [item for item in resolved if item is not UNDEFINED]

    return Template(resolve, _references(iter(items)))


def _merged(value: JsonObject) -> JsonObject:
    """Merge what stands at ``$truto_merge`` into the object around it: later wins, arrays are joined."""
    rest = {key: item for key, item in value.items() if key != MERGE_KEY}
    sources = value[MERGE_KEY]
    for source in sources if isinstance(sources, list) else [sources]:
        if isinstance(source, dict):
            rest = _deep_merge(rest, source)
    return rest


def _deep_merge(left: JSON, right: JSON) -> JSON:
    if isinstance(left, dict) and isinstance(right, dict):
        return {**left, **{key: _deep_merge(left[key], item) if key in left else item for key, item in right.items()}}
    if isinstance(left, list) and isinstance(right, list):
        return left + right
    return right


def _parse_text(text: str, at: Path, failures: list[Failure]) -> Template:
    parts: list[str | _Token] = []
    end = 0
    for found in _TOKEN.finditer(text):
        try:
            token = _parse_token(found[1])
        except ValueError as error:
            failures.append(Failure(".".join(at), f"placeholder '{found[0]}': {error}"))
            continue
        parts += [text[end : found.start()], token]
        end = found.end()
    tokens = [part for part in parts if isinstance(part, _Token)]
    if not tokens:
        return _constant(text)
    references = frozenset(path for token in tokens for path in token.paths)
    if len(tokens) == 1 and parts[0] == "" and end == len(text):
        return Template(tokens[0].value, references)
    parts.append(text[end:])
    return Template(lambda scope: "".join(p if isinstance(p, str) else p.text(scope) for p in parts), references)


@dataclass(frozen=True, slots=True)
class _Alternative:
    paths: tuple[Path, ...]
    cast: str


@dataclass(frozen=True, slots=True)
class _Token:
    """One placeholder."""

    alternatives: tuple[_Alternative, ...]
    default: JSON
    missing: JSON
    """What a missing value gives when it is not required: None or UNDEFINED."""
    is_required: bool
    ignores_empty: bool
    name: str

    @property
    def paths(self) -> Iterator[Path]:
        return (path for alternative in self.alternatives for path in alternative.paths)

    def value(self, scope: Scope) -> JSON:
        """Give the typed value."""
        for alternative in self.alternatives:
            for path in alternative.paths:
                found = lookup(scope, path)
                if found is UNDEFINED or (found == "" and self.ignores_empty):
                    continue
                return CASTS[alternative.cast](found, ".".join(path))
        if self.default is not UNDEFINED:
            return self.default
        if self.is_required:
            raise PlaceholderError(self.name, f"placeholder '{{{{{self.name}}}}}' does not resolve: nothing is there")
        return self.missing

    def text(self, scope: Scope) -> str:
        """Give its text, for a place within other text."""
        value = self.value(scope)
        return "" if value is UNDEFINED else text_of(value, self.name)


def _parse_token(inside: str) -> _Token:
    """Parse what stands between the braces; raise ValueError that says what is wrong."""
    body, has_default, default = inside.partition("?:")
    flags: set[str] = set()
    alternatives = tuple(_parse_alternative(part, flags) for part in body.split("|"))
    return _Token(
        alternatives=alternatives,
        default=_parse_default(default) if has_default else UNDEFINED,
        missing=None if "null" in flags else UNDEFINED,
        is_required=not flags & {"null", "undefined"},
        ignores_empty="ignore-empty-str" in flags,
        name=body.strip(),
    )


def _parse_alternative(text: str, flags: set[str]) -> _Alternative:
    path_text, *suffixes = (part.strip() for part in _SUFFIX.split(text))
    paths = tuple(parse_path(path) for path in path_text.split())
    if not paths or any("" in path for path in paths):
        raise ValueError(f"expected a dotted path, found '{path_text}'")
    flags.update(suffix for suffix in suffixes if suffix in _FLAGS)
    casts = [suffix for suffix in suffixes[:1] if suffix != "ignore-empty-str"]
    return _Alternative(paths=paths, cast=_cast(casts, [s for s in suffixes[1:] if s not in _FLAGS]))


def _parse_default(text: str) -> JSON:
    """Read the default and cast it; an empty one is none."""
    value, *suffixes = _SUFFIX.split(text)
    suffixes = [suffix.strip() for suffix in suffixes]
    cast = _cast([s for s in suffixes[:1] if s != "ignore-empty-str"], [s for s in suffixes[1:] if s not in _FLAGS])
    return CASTS[cast](value.rstrip() if cast == "str" else value.strip(), "") if value.strip() else UNDEFINED


def _cast(casts: list[str], unknown: list[str]) -> str:
    for name in [*casts, *unknown]:
        if name not in CASTS or name in unknown:
            raise ValueError(f"'{name}' is no cast: expected one of {', '.join(CASTS)}")
    return casts[0] if casts else "str"
