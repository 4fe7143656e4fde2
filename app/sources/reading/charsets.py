"""Convert text from the charset that an answer names to UTF-8; only charsets with decoders of linear time.

Names are those of Python. As on the web, a name stands for its superset: GB2312 for GB18030, Shift_JIS for cp932.
"""

import codecs
import json
import re
from dataclasses import dataclass
from encodings.aliases import aliases
from typing import Final

_CHARSET: Final = re.compile(r"""charset\s*=\s*["']?([^\s"';,]+)""", re.IGNORECASE)
_NOT_ALPHANUMERIC: Final = re.compile(r"[^a-z0-9]+")
_REPLACEMENT: Final = "\ufffd"

_UTF8: Final = ("utf-8", "utf-8-sig")
_UNICODE: Final = "unicode"
"""UTF-8, or what the first bytes show."""
# The names of UTF-8, and names without meaning: MySQL's, MIME's and none at all.
_UNICODE_NAMES: Final = frozenset(
    {"utf_8", "utf8", "utf", "u8", "utf8_ucs2", "utf8_ucs4", "cp65001", "utf_8_sig", "x_utf_8", "unicode_1_1_utf_8"}
    | {"utf8mb3", "utf8mb4", "ascii", "us_ascii", "unicode", "json", "binary", "8bit", "7bit", "none", "null"}
    | {"undefined", "unknown", "unspecified", "default", "auto", "identity", "utf_16", "utf_32"}
)
REAL: Final = frozenset(
    {"utf_16_be", "utf_16_le", "utf_32_be", "utf_32_le", "latin_1", "koi8_r", "koi8_u", "tis_620", "mac_roman"}
    | {"gb18030", "big5", "big5hkscs", "cp950", "cp932", "euc_jp", "cp949", "cp437", "cp850", "cp852", "cp858", "cp866"}
    | {"cp874", "mac_cyrillic"}
    | {f"iso8859_{part}" for part in range(2, 17) if part != 12}
    | {f"cp125{page}" for page in range(9)}
)
_SUPERSETS: Final = {"gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949"}
_OTHER_NAMES: Final = {
    "windows_31j": "cp932",
    "windows_874": "cp874",
    "x_sjis": "cp932",
    "iso_8859_8_i": "iso8859_8",
    "iso_8859_8_e": "iso8859_8",
    "x_gbk": "gb18030",
    "x_euc_jp": "euc_jp",
    "x_mac_cyrillic": "mac_cyrillic",
    "x_mac_roman": "mac_roman",
    **{f"{prefix}_125{page}": f"cp125{page}" for prefix in ("win", "x_cp") for page in range(9)},
}


@dataclass(frozen=True, slots=True)
class Utf8Text:
    """A text in UTF-8, without a byte order mark; one that was UTF-8 already is not checked."""

    body: bytes
    replaced: int = 0
    """The characters that could not be read, each of which is U+FFFD now."""


def find_charset(content_type: str | None) -> str | None:
    """Return the charset that a Content-Type names."""
    found = _CHARSET.search(content_type or "")
    return found[1] if found else None


def is_known(charset: str | None) -> bool:
    """Whether a name is that of a charset, or has no meaning."""
    return _find_codec(charset) is not None


def is_utf8(body: bytes, charset: str | None) -> bool:
    """Whether a body is read as UTF-8, so that it needs no conversion."""
    return (_find_codec(charset) or _UNICODE) is _UNICODE and json.detect_encoding(body) in _UTF8


def convert_to_utf8(body: bytes, charset: str | None) -> Utf8Text:
    """Convert a body; one of an unknown charset is read as UTF-8."""
    codec = _find_codec(charset) or _UNICODE
    if codec is _UNICODE:
        codec = json.detect_encoding(body)
    if codec in _UTF8:
        return Utf8Text(body.removeprefix(codecs.BOM_UTF8))
    return _decode(body, codec)


def repair_utf8(body: bytes) -> Utf8Text:
    """Replace invalid UTF-8 in a body."""
    return _decode(body, "utf-8")


def _find_codec(charset: str | None) -> str | None:
    """Find the codec of a name without Python's registry, which imports and caches whatever it is asked for."""
    if charset in (None, "utf-8", "UTF-8"):
        return _UNICODE
    name = _NOT_ALPHANUMERIC.sub("_", charset.lower()).strip("_")
    if name in _UNICODE_NAMES:
        return _UNICODE
    name = _OTHER_NAMES.get(name) or aliases.get(name, name)
    name = _SUPERSETS.get(name, name)
    return _UNICODE if name in _UNICODE_NAMES else name if name in REAL else None


def _decode(body: bytes, codec: str) -> Utf8Text:
    try:
        text, replaced = body.decode(codec), 0
    except UnicodeDecodeError:
        text = body.decode(codec, "replace")
        replaced = text.count(_REPLACEMENT) - body.decode(codec, "ignore").count(_REPLACEMENT)
    return Utf8Text(text.removeprefix("\ufeff").encode("utf-8", "replace"), replaced)
