"""How a method's query and body are written, and its answer read (docs/wire.md A9)."""

from dataclasses import dataclass
from enum import StrEnum

from app.engine.config.reader import ConfigReader
from app.engine.integrations.answer_format import AnswerFormat


class ArrayFormat(StrEnum):
    """How a query writes an array ``a`` of 1 and 2."""

    REPEAT = "repeat"
    """a=1&a=2"""
    BRACKETS = "brackets"
    """a[]=1&a[]=2"""
    INDICES = "indices"
    """a[0]=1&a[1]=2"""
    COMMA = "comma"
    """a=1,2"""


class BodyFormat(StrEnum):
    """How a body is written."""

    JSON = "json"
    FORM = "form"
    """As a query is, with the same arrays."""
    MULTIPART = "multipart"
    """A part per field; an object or array is JSON."""
    RAW = "raw"
    """The body is a text, sent as it is."""
    XML = "xml"
    """An element per key; ``@name`` is an attribute, ``#text`` the text beside attributes."""


class ResponseFormat(StrEnum):
    """What an answer holds where a list is due."""

    ARRAY = "array"
    MAP = "map"
    """An object whose values are the records, by their ids."""
    OBJECT = "object"
    """The one record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFormats:
    """How one method speaks."""

    arrays: ArrayFormat = ArrayFormat.REPEAT
    body: BodyFormat = BodyFormat.JSON
    xml_root: str = "request"
    """The outermost element of an XML body that has not one key alone."""
    answer: AnswerFormat = AnswerFormat.AUTO
    response: ResponseFormat = ResponseFormat.ARRAY


def read_formats(reader: ConfigReader, inherited: RequestFormats) -> RequestFormats:
    """Read the formats of an integration, or of a method, which inherits what it does not say."""
    options = reader.child("body_format_config")
    has_options = options.value is not None and options.is_object()
    return RequestFormats(
        arrays=reader.choice("query_array_format", ArrayFormat, inherited.arrays),
        body=reader.choice("body_format", BodyFormat, inherited.body),
        xml_root=options.text("root", default=inherited.xml_root) if has_options else inherited.xml_root,
        answer=reader.choice("api_response_format", AnswerFormat, inherited.answer),
        response=reader.choice("response_format", ResponseFormat, inherited.response),
    )
