"""Remove the escapes by which addresses, JSON, scripts and HTML write characters.

One step removes one layer of escapes, of all kinds at once and each in any case of its digits: ``%2F`` and ``%252F``,
``\\u002F``, ``\\x2f``, ``\\/`` and any number of backslashes, ``&#47;`` and ``&sol;``. It keeps each character's
place, so that a match in the unescaped text is located in the original. A step is linear, and shortens the text.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html.entities import html5
from typing import Final, TypeAlias

_MOST_STEPS: Final = 8

_ESCAPE: Final = re.compile(
    r"(?P<percent>(?:%[0-9A-Fa-f]{2})+)"
    r"|(?P<hex>(?:\\+x[0-9A-Fa-f]{2})+)"
    r"|\\+u(?P<high>[dD][89abAB][0-9A-Fa-f]{2})\\+u(?P<low>[dD][c-fC-F][0-9A-Fa-f]{2})"
    r"|(?:\\+|%)u(?P<unit>[0-9A-Fa-f]{4})|\\+u\{(?P<point>[0-9A-Fa-f]{1,6})\}|&#[xX](?P<entity>[0-9A-Fa-f]{1,6});?"
    r"|&#(?P<decimal>[0-9]{1,7});?|&(?P<name>[A-Za-z][A-Za-z0-9]{0,31};?)"
    r"|\\+(?P<octal>[0-3][0-7]{2})|(?P<backslashes>\\+)"
)
_BEGINNING: Final = re.compile(r"[%\\&]")
"""Found much faster than an escape is."""
_BYTE: Final = re.compile(r"(?:%|\\+x)([0-9A-Fa-f]{2})")
_CONTROLS: Final = str.maketrans("\a\b\f\n\r\t\v+", "abfnrtv ")
_HEX_GROUPS: Final = ("unit", "point", "entity")

Span: TypeAlias = tuple[int, int]
_Read: TypeAlias = tuple[str, int, int]
"""A character, and where its escape begins and ends."""


@dataclass(frozen=True, slots=True)
class WrittenText:
    """A text after some steps, and where its characters stood before the last one."""

    text: str
    before: "WrittenText | None" = None
    _starts: list[int] = field(default_factory=list)
    """Where each segment begins: one character that was written as an escape, or a run of others."""
    _sources: list[tuple[int, int, bool]] = field(default_factory=list)
    """Where each segment stood, and whether it is one character."""

    def origin(self, start: int, end: int) -> Span:
        """Return where a part of the text stands in the text that was there at first."""
        if self.before is None:
            return start, end
        return self.before.origin(self._source(start)[0], self._source(end - 1)[1])

    def _source(self, index: int) -> Span:
        segment = bisect_right(self._starts, index) - 1
        start, end, is_one = self._sources[segment]
        if is_one:
            return start, end
        at = start + index - self._starts[segment]
        return at, at + 1


def list_layers(text: str) -> Iterator[WrittenText]:
    """Yield a text as it is, and after each layer of escapes is removed."""
    written = WrittenText(text)
    yield written
    for _ in range(_MOST_STEPS):
        following = _unescape_layer(written)
        if following is None:
            return
        written = following
        yield written


def unescape(text: str) -> str:
    """Return a text without its layers of escapes."""
    return list(list_layers(text))[-1].text


def fold(text: str) -> str:
    """Unify characters whose escapes leave the same text: a line's end and ``n``, a space and ``+``."""
    return text.replace("+", " ") if text.isprintable() else text.translate(_CONTROLS)


def _unescape_layer(written: WrittenText) -> WrittenText | None:
    """Remove one layer of escapes; None where there is none."""
    text, end, length = written.text, 0, 0
    pieces: list[str] = []
    starts: list[int] = []
    sources: list[tuple[int, int, bool]] = []
    for found in _find_escapes(text):
        if found.start() > end:
            starts.append(length)
            sources.append((end, found.start(), False))
            pieces.append(text[end : found.start()])
            length += found.start() - end
        for character, start, stop in _decode_escape(found):
            starts.append(length)
            sources.append((start, stop, True))
            pieces.append(character)
            length += 1
        end = found.end()
    if not end:
        return None
    starts.append(length)
    sources.append((end, len(text), False))
    pieces.append(text[end:])
    return WrittenText("".join(pieces), written, starts, sources)


def _find_escapes(text: str) -> Iterator[re.Match[str]]:
    at = 0
    while (starter := _BEGINNING.search(text, at)) is not None:
        at = starter.start() + 1
        found = _ESCAPE.match(text, starter.start())
        if found is not None and (found["name"] is None or len(html5.get(found["name"], "")) == 1):
            at = found.end()
            yield found


def _decode_escape(found: re.Match[str]) -> Iterable[_Read]:
    """Return the characters that an escape stands for."""
    kind = found.lastgroup
    if kind in ("percent", "hex"):
        return _decode_bytes(found)
    return ((character, found.start(), found.end()) for character in _decode_one(found, kind))


def _decode_one(found: re.Match[str], kind: str | None) -> str:
    """Return the one character of an escape; backslashes before others stand for nothing."""
    match kind:
        case "low":
            return chr(0x10000 + ((int(found["high"], 16) - 0xD800) << 10) + int(found["low"], 16) - 0xDC00)
        case "name":
            return html5[found["name"]]
        case "octal":
            return chr(int(found["octal"], 8))
        case "decimal":
            return _character_of(int(found["decimal"]))
        case str() if kind in _HEX_GROUPS:
            return _character_of(int(found[kind], 16))
        case _:
            return ""


def _character_of(code: int) -> str:
    return chr(code) if code <= 0x10FFFF else "\ufffd"


def _decode_bytes(found: re.Match[str]) -> Iterator[_Read]:
    """Read escaped bytes as UTF-8, and those that are none as ISO-8859-1."""
    places = [(int(one[1], 16), one.start(), one.end()) for one in _BYTE.finditer(found.string, *found.span())]
    first = 0
    for character in bytes(byte for byte, _, _ in places).decode("utf-8", "surrogateescape"):
        last = first + len(character.encode("utf-8", "surrogateescape")) - 1
        code = ord(character)
        yield (chr(code - 0xDC00) if 0xDC80 <= code <= 0xDCFF else character), places[first][1], places[last][2]
        first = last + 1
