"""How a method's address, query and body are written, and its answer read (wire.md A9)."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.engine.config.reader import ConfigReader, show_value
from app.engine.integrations.answer_format import AnswerFormat
from app.engine.templating import placeholders
from app.engine.templating.placeholders import Template

_ADDRESS: Final = re.compile(r"(https?://[^/?#\s]|\{\{)", re.IGNORECASE)


def read_base_url(reader: ConfigReader) -> Template:
    """Read the address before all paths."""
    url = reader.value.get("base_url")
    if isinstance(url, str) and url and not _ADDRESS.match(url):
        reader.report("base_url", f"expected an address such as https://api.example.com, found {show_value(url)}")
    _check_braces(reader, "base_url")
    return reader.read_template("base_url")


def read_path(reader: ConfigReader, *, default: str) -> Template:
    """Read a path behind the address."""
    _check_braces(reader, "path")
    return reader.read_template("path", default=default)


def _check_braces(reader: ConfigReader, key: str) -> None:
    """Braces that are left beside placeholders are a misspelt one, which would be sent as it is."""
    text = reader.value.get(key)
    left = placeholders.remove_placeholders(text) if isinstance(text, str) else ""
    if set("{}") & set(left) and "{{" not in left:  # Two in a row are no placeholder anywhere.
        reader.report(key, f"expected placeholders such as '{{{{id}}}}' and no other braces, found {show_value(text)}")


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
    """The formats of one method."""

    arrays: ArrayFormat = ArrayFormat.REPEAT
    body: BodyFormat = BodyFormat.JSON
    xml_root: str = "request"
    """The outermost element of an XML body that has not one key alone."""
    answer: AnswerFormat = AnswerFormat.AUTO
    response: ResponseFormat = ResponseFormat.ARRAY


def read_formats(reader: ConfigReader, inherited: RequestFormats) -> RequestFormats:
    """Read the formats of an integration, or of a method, which inherits what it does not say."""
    options = reader.enter("body_format_config")
    has_options = options.value is not None and options.is_object()
    return RequestFormats(
        arrays=reader.read_choice("query_array_format", ArrayFormat, inherited.arrays),
        body=reader.read_choice("body_format", BodyFormat, inherited.body),
        xml_root=options.read_text("root", default=inherited.xml_root) if has_options else inherited.xml_root,
        answer=reader.read_choice("api_response_format", AnswerFormat, inherited.answer),
        response=reader.read_choice("response_format", ResponseFormat, inherited.response),
    )


class SentBody(StrEnum):
    """How a request's body is sent."""

    AS_IT_IS = "as_it_is"
    """The method's own, or else the call's."""
    WITH_QUERY = "add_query_to_body"
    """The same, with the fields of the call's query; only methods that write have one."""
    NOTHING = "ignore_body"
    NULL = "set_body_to_null"
    """The JSON text ``null``."""


def read_sent_body(reader: ConfigReader) -> SentBody:
    """Read the flags of a method; of several the one that leaves least counts."""
    set_flags = [one for one in (SentBody.NOTHING, SentBody.NULL, SentBody.WITH_QUERY) if reader.read_flag(one.value)]
    return set_flags[0] if set_flags else SentBody.AS_IT_IS
