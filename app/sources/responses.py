"""Read an upstream's answer: bytes to JSON, JSON to records, whatever the upstream gets wrong on the way.

Kept exact: integers of any size. Made storable: NaN, Infinity and numbers beyond a double become null; U+0000 and lone
surrogates, which Postgres refuses, become U+FFFD. Raw control characters within strings are let through.
"""

import codecs
import json
import math
import re

import orjson

from app import nesting
from app.engine.errors import SourceError
from app.engine.json_types import JSON
from app.engine.placeholders import UNDEFINED, Path, lookup
from app.engine.request_formats import AnswerFormat
from app.sources import xml_documents
from app.sources.exchange import HttpRequest, HttpResponse
from app.sources.faults import excerpt
from app.sources.xml_documents import XmlError

_NO_CONTENT_STATUSES = frozenset({204, 205})

_CHARSET = re.compile(r"""charset\s*=\s*["']?([^\s"';,]+)""", re.IGNORECASE)

# orjson reads an integer beyond 64 bits as a float, in silence. To find 19 digits in a row by counting zeros in a
# translated copy costs 1 ms per MB, where orjson takes 7 ms and a regular expression 13 ms; the expression then tells
# numbers from long ids in quotes.
_DIGITS_AS_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_NINETEEN_DIGITS = b"0" * 19
_LONG_INTEGER = re.compile(rb"(?:^|[\s:,\[])(?:-\d{19}|\d{20})")

_XML_TYPE = re.compile(r"[/+]xml\s*(?:;|$)", re.IGNORECASE)
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u0000|u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_REPLACEMENT = "\ufffd".encode()


def has_content(response: HttpResponse, *, method: str) -> bool:
    """Claim that there is a body to read; raise SourceError ``empty_body`` where a list or get must have one."""
    if response.status in _NO_CONTENT_STATUSES:
        return False
    if response.body and not response.body.isspace():
        return True
    if method in ("list", "get"):
        message = f"the answer {response.status} to a {method} has an empty body"
        raise SourceError("empty_body", message, status=response.status)
    return False


def is_xml(response: HttpResponse, answer: AnswerFormat = AnswerFormat.AUTO) -> bool:
    """Claim that an answer is to be read as XML."""
    is_named = _XML_TYPE.search(response.header("Content-Type") or "") is not None
    return answer is AnswerFormat.XML or (answer is AnswerFormat.AUTO and is_named)


def decode(request: HttpRequest, response: HttpResponse, answer: AnswerFormat = AnswerFormat.AUTO) -> JSON:
    """Read the body; raise SourceError ``not_json`` or ``not_xml``."""
    if is_xml(response, answer):
        return _decode_xml(request, response)
    try:
        return _parsed(_utf8(response))
    except LookupError:
        reason = "its Content-Type names a charset that is not known"
    except UnicodeDecodeError as error:
        reason = f"it is not {error.encoding} at byte {error.start}, and its Content-Type names no other charset"
    except RecursionError:
        reason = "it is nested too deeply"
    except ValueError:
        reason = "it is HTML" if response.body.lstrip()[:1] == b"<" else "it does not parse"
    raise SourceError(
        "not_json",
        f"the answer ({(response.header('Content-Type') or 'no Content-Type')[:100]}) is not JSON: {reason}",
        status=response.status,
        excerpt=excerpt(response.body, request.secrets),
    )


def _decode_xml(request: HttpRequest, response: HttpResponse) -> JSON:
    try:
        return xml_documents.parse(response.body)
    except XmlError as error:
        raise SourceError(
            "not_xml",
            f"the answer is not XML that can be read: {error}",
            status=response.status,
            excerpt=excerpt(response.body, request.secrets),
        ) from error


def xml_records(document: JSON, *, method: str, response_path: Path | None) -> list[JSON]:
    """Find the records of an XML document, in which a list of one looks like an object, and an empty one like none."""
    found = document if response_path is None else lookup(document, response_path)
    if found is UNDEFINED and response_path and lookup(document, response_path[:-1]) is not UNDEFINED:
        found = None
    if found is UNDEFINED or response_path is None:
        return records(document, method=method, response_path=response_path)
    return found if isinstance(found, list) else [] if found is None else [found]


def records(document: JSON, *, method: str, response_path: Path | None) -> list[JSON]:
    """Find the records of a document: a list's must be an array, any other method's may be one object."""
    found = document if response_path is None else lookup(document, response_path)
    if isinstance(found, list):
        return found
    if method == "list" or found is UNDEFINED or (found is None and method == "get"):
        raise SourceError("no_records", _no_records(document, found, response_path))
    return [] if found is None else [found]


def _utf8(response: HttpResponse) -> bytes:
    """Give the body in UTF-8 without a byte order mark."""
    named = _CHARSET.search(response.header("Content-Type") or "")
    encoding = codecs.lookup(named[1]).name if named else json.detect_encoding(response.body)
    if encoding in ("utf-8", "utf-8-sig", "ascii"):
        return response.body.removeprefix(codecs.BOM_UTF8)
    return response.body.decode(encoding).removeprefix("\ufeff").encode("utf-8", "surrogatepass")


def _parsed(body: bytes) -> JSON:
    # Looking for one byte first is twenty times as fast.
    if (b"\\" not in body or rb"\u0000" not in body) and not _may_hold_long_integer(body):
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            pass
    return _parsed_leniently(body)


def _may_hold_long_integer(body: bytes) -> bool:
    return _NINETEEN_DIGITS in body.translate(_DIGITS_AS_ZEROS) and _LONG_INTEGER.search(body) is not None


def _parsed_leniently(body: bytes) -> JSON:
    storable = _ESCAPE.sub(_storable_escape, body).replace(b"\0", _REPLACEMENT)
    found = json.loads(storable.decode(), parse_constant=_no_number, parse_float=_finite, strict=False)
    if nesting.is_deeper(found, nesting.MOST_LEVELS):
        raise RecursionError
    return found


def _storable_escape(escape: re.Match[bytes]) -> bytes:
    return _REPLACEMENT if escape[1] else escape[0]


def _no_number(_name: str) -> None:
    """Stand in for NaN and Infinity."""


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _no_records(document: JSON, found: JSON, response_path: Path | None) -> str:
    if response_path is not None:
        return f"expected an array at response_path '{'.'.join(response_path)}', found {_name(found)}"
    arrays = [name for name, value in document.items() if isinstance(value, list)] if isinstance(document, dict) else []
    hint = f" (it has arrays at: {', '.join(arrays[:5])})" if arrays else ""
    return f"expected an array of records, found {_name(found)}: set response_path to where the array is{hint}"


def _name(value: JSON) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case dict():
            return "an object"
        case list():
            return "an array"
        case _:
            return "nothing"
