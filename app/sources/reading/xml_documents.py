"""Read XML into JSON: an element is an object, or a text when it holds nothing else.

Children go by their names, an array where several have one name; an attribute is ``@name``, text beside others
``#text``. A document type is refused, and with it every entity of the document's own: there is nothing to expand
without end, and nothing outside to fetch.
"""

import re
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from app.engine.json_types import JSON, JsonObject

_DEEPEST: Final = 200
_MOST_ELEMENTS: Final = 2_000_000
_DECLARATION: Final = re.compile(rb"""\s*<\?xml\s[^>]{0,200}?encoding\s*=\s*["']([\w.:-]{1,60})["']""", re.ASCII)


class XmlError(ValueError):
    """The XML can not be read."""

    def __init__(self, reason: str, *, is_passing: bool = False) -> None:
        self.is_passing = is_passing
        """The document may be cut off, or replaced by a page: the next one may be whole."""
        super().__init__(reason)


@dataclass(slots=True)
class _Element:
    name: str
    content: JsonObject
    texts: list[str] = field(default_factory=list)


class _Reader:
    """Takes the parser's events."""

    def __init__(self) -> None:
        self.open: list[_Element] = [_Element("", {})]
        self.elements = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.elements += 1
        if len(self.open) > _DEEPEST:
            raise XmlError(f"it is nested more than {_DEEPEST} deep")
        if self.elements > _MOST_ELEMENTS:
            raise XmlError(f"it has more than {_MOST_ELEMENTS} elements")
        self.open.append(_Element(name, {f"@{key}": value for key, value in attributes.items()}))

    def text(self, text: str) -> None:
        self.open[-1].texts.append(text)

    def end(self, name: str) -> None:
        element = self.open.pop()
        _add(self.open[-1].content, name, _build_value(element))


def find_declared_charset(body: bytes) -> str | None:
    """Return the charset that a document's first line names, as far as it can be read without knowing it."""
    found = _DECLARATION.match(body)
    return found[1].decode() if found else None


def parse(body: bytes) -> JSON:
    """Read a document in UTF-8, whatever it declares, as ``{root: ...}``; raise XmlError."""
    reader, parser = _Reader(), expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refuse_document_type
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        reason = f"it does not parse: {expat.ErrorString(error.code)} at line {error.lineno}"
        raise XmlError(reason, is_passing=True) from error
    return reader.open[0].content


def _refuse_document_type(name: str, *_: object) -> None:
    if name.lower() == "html":
        raise XmlError("it is HTML", is_passing=True)
    raise XmlError("it has a document type, which is not allowed")


def _build_value(element: _Element) -> JSON:
    text = "".join(element.texts).strip()
    if not element.content:
        return text or None
    if text:
        element.content["#text"] = text
    return element.content


def _add(content: JsonObject, name: str, value: JSON) -> None:
    if name not in content:
        content[name] = value
    elif isinstance(content[name], list):
        content[name].append(value)
    else:
        content[name] = [content[name], value]
