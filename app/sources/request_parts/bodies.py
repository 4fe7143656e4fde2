"""Write a request's query and body in the format that its integration names."""

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


def query_text(query: Mapping[str, JSON], arrays: ArrayFormat = ArrayFormat.REPEAT) -> str:
    """Write a query: objects go into brackets, null is left out."""
    pairs = (pair for name, value in query.items() for pair in _pairs(name, value, arrays))
    return "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in pairs)


def written(body: JSON, formats: RequestFormats) -> tuple[bytes | None, str]:
    """Write a body, and name its type; raise SourceError for one that the format can not hold."""
    if body is None:
        return None, ""
    match formats.body:
        case BodyFormat.JSON:
            return _bytes(body) if isinstance(body, str) else json_bytes(body), "application/json"
        case BodyFormat.RAW:
            return _bytes(_text(body)), "text/plain; charset=utf-8"
        case BodyFormat.FORM:
            return query_text(_object(body, formats), formats.arrays).encode(), "application/x-www-form-urlencoded"
        case BodyFormat.MULTIPART:
            return _multipart(_object(body, formats))
        case BodyFormat.XML:
            text = body if isinstance(body, str) else _xml_document(_object(body, formats), formats.xml_root)
            return _bytes(text), "application/xml"


def json_bytes(value: JSON) -> bytes:
    """Write JSON."""
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer beyond 64 bits
        return json.dumps(value, separators=(",", ":")).encode()


def plain(value: JSON) -> str:
    """Write a single value as text; a whole number has no ``.0``, as within a placeholder's text."""
    return casts.write_text(value) if isinstance(value, bool | float) else str(value)


def _bytes(text: str) -> bytes:
    # Half of a surrogate pair, which JSON can spell and UTF-8 can not.
    return text.encode(errors="replace")


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="replace")


def _pairs(name: str, value: JSON, arrays: ArrayFormat) -> Iterator[tuple[str, str]]:
    match value:
        case None:
            return
        case list() if arrays is ArrayFormat.COMMA and not any(isinstance(item, dict | list) for item in value):
            texts = [plain(item) for item in value if item is not None]
            yield from [(name, ",".join(texts))] if texts else []  # As any other format has it.
        case list():
            for index, item in enumerate(value):
                yield from _pairs(_item_name(name, index, arrays), item, arrays)
        case dict():
            for key, item in value.items():
                yield from _pairs(f"{name}[{key}]", item, arrays)
        case _:
            yield name, plain(value)


def _item_name(name: str, index: int, arrays: ArrayFormat) -> str:
    match arrays:
        case ArrayFormat.BRACKETS:
            return f"{name}[]"
        case ArrayFormat.INDICES:
            return f"{name}[{index}]"
        case _:
            return name


def _object(body: JSON, formats: RequestFormats) -> JsonObject:
    if not isinstance(body, dict):
        raise SourceError("request", f"body_format '{formats.body}' needs an object as body")
    return body


def _text(body: JSON) -> str:
    if not isinstance(body, str):
        raise SourceError("request", "body_format 'raw' needs a text as body")
    return body


def _multipart(fields: JsonObject) -> tuple[bytes, str]:
    parts = [_part(name, item) for name, value in fields.items() for item in _items(value)]
    # A boundary that no part holds, the same for the same fields.
    boundary = f"ferryman-{hashlib.blake2b(b''.join(parts), digest_size=16).hexdigest()}"
    line = f"--{boundary}".encode()
    return b"\r\n".join([*(line + b"\r\n" + part for part in parts), line + b"--", b""]), (
        f"multipart/form-data; boundary={boundary}"
    )


def _items(value: JSON) -> list[JSON]:
    if value is None:
        return []
    if isinstance(value, list) and not any(isinstance(item, dict | list) for item in value):
        return [item for item in value if item is not None]
    return [value]


def _part(name: str, value: JSON) -> bytes:
    # As browsers write it: RFC 7578 leaves these three to percent-encoding.
    shown = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    head = f'Content-Disposition: form-data; name="{shown}"'
    if isinstance(value, dict | list):
        return f"{head}\r\nContent-Type: application/json\r\n\r\n".encode(errors="replace") + json_bytes(value)
    return _bytes(f"{head}\r\n\r\n{plain(value)}")


def _xml_document(body: JsonObject, root: str) -> str:
    is_rooted = len(body) == 1 and not isinstance(next(iter(body.values())), list)
    name, value = next(iter(body.items())) if is_rooted else (root, body)
    return '<?xml version="1.0" encoding="UTF-8"?>' + "".join(_elements(name, value))


def _elements(name: str, value: JSON) -> Iterator[str]:
    _check_name(name)
    match value:
        case list():
            for item in value:
                yield from _elements(name, item)
        case dict():
            attributes = [(key[1:], item) for key, item in value.items() if key.startswith("@")]
            for key, _ in attributes:
                _check_name(key)
            written_attributes = "".join(f' {key}="{_escaped(item)}"' for key, item in attributes if item is not None)
            yield f"<{name}{written_attributes}>{_escaped(value.get('#text'))}"
            for key, item in value.items():
                if not key.startswith(("@", "#")):
                    yield from _elements(key, item)
            yield f"</{name}>"
        case _:
            yield f"<{name}>{_escaped(value)}</{name}>"


def _check_name(name: str) -> None:
    if not _XML_NAME.fullmatch(name):
        raise SourceError("request", "a key of the body can not be the name of an XML element")


def _escaped(value: JSON) -> str:
    return "" if value is None else html.escape(_NOT_IN_XML.sub("\ufffd", plain(value)))
