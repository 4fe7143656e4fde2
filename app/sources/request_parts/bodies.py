"""Write a request's query and body in the format of its integration."""

import hashlib
import html
import json
import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import quote

import orjson

from app.engine.integrations.request_formats import ArrayFormat, BodyFormat, RequestFormats
from app.engine.json_types import JSON, JsonObject
from app.engine.record_errors import SourceError
from app.engine.templating import casts

_XML_NAME: Final = re.compile(r"[A-Za-z_][\w.\-]*(?::[A-Za-z_][\w.\-]*)?", re.ASCII)
_NOT_IN_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_query(query: Mapping[str, JSON], arrays: ArrayFormat = ArrayFormat.REPEAT) -> str:
    """Write a query: objects become names in brackets, null is omitted."""
    pairs = (pair for name, value in query.items() for pair in _list_pairs(name, value, arrays))
    return "&".join(f"{_quote(name)}={_quote(value)}" for name, value in pairs)


def write_body(body: JSON, formats: RequestFormats) -> tuple[bytes | None, str]:
    """Return a body as bytes and its type; raise SourceError where the format can not hold it."""
    if body is None:
        return None, ""
    match formats.body:
        case BodyFormat.JSON:
            return _encode(body) if isinstance(body, str) else write_json(body), "application/json"
        case BodyFormat.RAW:
            return _encode(_check_text(body)), "text/plain; charset=utf-8"
        case BodyFormat.FORM:
            return write_query(
                _check_object(body, formats), formats.arrays
            ).encode(), "application/x-www-form-urlencoded"
        case BodyFormat.MULTIPART:
            return _write_multipart(_check_object(body, formats))
        case BodyFormat.XML:
            text = body if isinstance(body, str) else _write_xml(_check_object(body, formats), formats.xml_root)
            return _encode(text), "application/xml"


def write_json(value: JSON) -> bytes:
    """Write JSON."""
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer beyond 64 bits
        return json.dumps(value, separators=(",", ":")).encode()


def to_text(value: JSON) -> str:
    """Write a single value as text; a whole number has no ``.0``, as within a placeholder's text."""
    return casts.write_text(value) if isinstance(value, bool | float) else str(value)


def _encode(text: str) -> bytes:
    # A lone surrogate, which JSON can express and UTF-8 can not.
    return text.encode(errors="replace")


def _quote(text: str) -> str:
    return quote(text, safe="", errors="replace")


def _list_pairs(name: str, value: JSON, arrays: ArrayFormat) -> Iterator[tuple[str, str]]:
    match value:
        case None:
            return
        case list() if arrays is ArrayFormat.COMMA and not any(isinstance(item, dict | list) for item in value):
            texts = [to_text(item) for item in value if item is not None]
            yield from [(name, ",".join(texts))] if texts else []
        case list():
            for index, item in enumerate(value):
                yield from _list_pairs(_name_item(name, index, arrays), item, arrays)
        case dict():
            for key, item in value.items():
                yield from _list_pairs(f"{name}[{key}]", item, arrays)
        case _:
            yield name, to_text(value)


def _name_item(name: str, index: int, arrays: ArrayFormat) -> str:
    match arrays:
        case ArrayFormat.BRACKETS:
            return f"{name}[]"
        case ArrayFormat.INDICES:
            return f"{name}[{index}]"
        case _:
            return name


def _check_object(body: JSON, formats: RequestFormats) -> JsonObject:
    if not isinstance(body, dict):
        raise SourceError("request", f"body_format '{formats.body}' needs an object as body")
    return body


def _check_text(body: JSON) -> str:
    if not isinstance(body, str):
        raise SourceError("request", "body_format 'raw' needs a text as body")
    return body


def _write_multipart(fields: JsonObject) -> tuple[bytes, str]:
    parts = [_write_part(name, item) for name, value in fields.items() for item in _list_items(value)]
    # A boundary that occurs in no part, the same for the same fields.
    boundary = f"ferryman-{hashlib.blake2b(b''.join(parts), digest_size=16).hexdigest()}"
    line = f"--{boundary}".encode()
    return b"\r\n".join([*(line + b"\r\n" + part for part in parts), line + b"--", b""]), (
        f"multipart/form-data; boundary={boundary}"
    )


def _list_items(value: JSON) -> list[JSON]:
    if value is None:
        return []
    if isinstance(value, list) and not any(isinstance(item, dict | list) for item in value):
        return [item for item in value if item is not None]
    return [value]


def _write_part(name: str, value: JSON) -> bytes:
    # As browsers write it: RFC 7578 leaves these three to percent-encoding.
    shown = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    head = f'Content-Disposition: form-data; name="{shown}"'
    if isinstance(value, dict | list):
        return f"{head}\r\nContent-Type: application/json\r\n\r\n".encode(errors="replace") + write_json(value)
    return _encode(f"{head}\r\n\r\n{to_text(value)}")


def _write_xml(body: JsonObject, root: str) -> str:
    is_rooted = len(body) == 1 and not isinstance(next(iter(body.values())), list)
    name, value = next(iter(body.items())) if is_rooted else (root, body)
    return '<?xml version="1.0" encoding="UTF-8"?>' + "".join(_write_elements(name, value))


def _write_elements(name: str, value: JSON) -> Iterator[str]:
    _check_name(name)
    match value:
        case list():
            for item in value:
                yield from _write_elements(name, item)
        case dict():
            attributes = [(key[1:], item) for key, item in value.items() if key.startswith("@")]
            for key, _ in attributes:
                _check_name(key)
            attributes_text = "".join(f' {key}="{_escape(item)}"' for key, item in attributes if item is not None)
            yield f"<{name}{attributes_text}>{_escape(value.get('#text'))}"
            for key, item in value.items():
                if not key.startswith(("@", "#")):
                    yield from _write_elements(key, item)
            yield f"</{name}>"
        case _:
            yield f"<{name}>{_escape(value)}</{name}>"


def _check_name(name: str) -> None:
    if not _XML_NAME.fullmatch(name):
        raise SourceError("request", "a key of the body can not be the name of an XML element")


def _escape(value: JSON) -> str:
    return "" if value is None else html.escape(_NOT_IN_XML.sub("\ufffd", to_text(value)))
