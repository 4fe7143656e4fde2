"""Functions that turn texts into other texts: base64, digests, signatures, JSON, queries, addresses."""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import orjson

from app.engine.json_types import JSON
from app.engine.jsonata.functions.collections import make_list

_ALGORITHMS: Final = {"SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512", "MD5": "md5"}
_HEX: Final = "hex"


def base64_encode(text: JSON = None, url_safe: JSON = None) -> JSON:
    """Write a text's UTF-8 in base64."""
    if text is None:
        return None
    return _encode_base64(str(text).encode(), url_safe=url_safe is True)


def base64_decode(text: JSON = None, _url_safe: JSON = None) -> JSON:
    """Decode base64 of either alphabet, padded or not."""
    if text is None:
        return None
    plain = str(text).strip().replace("-", "+").replace("_", "/").rstrip("=")
    return base64.b64decode(plain + "=" * (-len(plain) % 4)).decode("utf-8", "replace")


def compute_digest(text: JSON = None, algorithm: JSON = "SHA-256", encoding: JSON = _HEX) -> JSON:
    """Hash a text by SHA-1, SHA-256, SHA-384, SHA-512 or MD5, in hex or base64."""
    return (
        None
        if text is None
        else _encode(hashlib.new(_find_algorithm(algorithm), str(text).encode()).digest(), encoding)
    )


def sign(text: JSON = None, algorithm: JSON = "SHA-256", secret: JSON = "", encoding: JSON = _HEX) -> JSON:
    """Sign a text by HMAC, in hex or base64."""
    if text is None:
        return None
    return _encode(hmac.digest(str(secret).encode(), str(text).encode(), _find_algorithm(algorithm)), encoding)


def json_parse(text: JSON = None) -> JSON:
    """Parse a text as JSON; anything else stays as it is."""
    if not isinstance(text, str):
        return text
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def parse_query(text: JSON = None) -> JSON:
    """Read a query string; a name that comes again has an array."""
    if text is None:
        return None
    values: dict[str, list[JSON]] = {}
    for name, value in parse_qsl(str(text).removeprefix("?"), keep_blank_values=True):
        values.setdefault(name, []).append(value)
    return {name: many if len(many) > 1 else many[0] for name, many in values.items()}


def stringify_query(value: JSON = None) -> JSON:
    """Write an object as a query string; arrays repeat their name, null is left out."""
    if not isinstance(value, dict):
        return None
    pairs = [(name, _write_plain(one)) for name, many in value.items() for one in make_list(many)]
    return urlencode(pairs, quote_via=quote)


def parse_url(text: JSON = None) -> JSON:
    """Split an address as JavaScript's URL does."""
    if text is None:
        return None
    parts = urlsplit(str(text))
    return {
        "href": str(text),
        "protocol": f"{parts.scheme}:",
        "origin": f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",
        "host": parts.netloc.rpartition("@")[2],
        "hostname": parts.hostname or "",
        "port": str(parts.port or ""),
        "pathname": parts.path or "/",
        "search": f"?{parts.query}" if parts.query else "",
        "searchParams": parse_query(parts.query),
        "hash": f"#{parts.fragment}" if parts.fragment else "",
    }


def make_data_uri(text: JSON = None, mime_type: JSON = "text/plain") -> JSON:
    """Write a text as a data address."""
    return None if text is None else f"data:{mime_type};base64,{_encode_base64(str(text).encode(), url_safe=False)}"


def _find_algorithm(name: JSON) -> str:
    found = _ALGORITHMS.get(str(name).upper().replace("SHA1", "SHA-1").replace("SHA2", "SHA-2"), None)
    if found is None:
        raise ValueError(f"expected one of {', '.join(_ALGORITHMS)}; found '{name}'")
    return found


def _encode(raw: bytes, encoding: JSON) -> str:
    match encoding:
        case "base64":
            return _encode_base64(raw, url_safe=False)
        case "base64url" | "base64urlSafe":
            return _encode_base64(raw, url_safe=True)
        case _:
            return raw.hex()


def _encode_base64(raw: bytes, *, url_safe: bool) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=") if url_safe else base64.b64encode(raw).decode()


def _write_plain(value: JSON) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


FUNCTIONS: Final[Mapping[str, Callable[..., JSON]]] = {
    "base64encode": base64_encode,
    "base64decode": base64_decode,
    "digest": compute_digest,
    "sign": sign,
    "jsonParse": json_parse,
    "parseQuery": parse_query,
    "stringifyQuery": stringify_query,
    "parseUrl": parse_url,
    "getDataUri": make_data_uri,
}
