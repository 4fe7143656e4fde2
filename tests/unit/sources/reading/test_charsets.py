"""Charsets by the names that servers give them."""

import time

import pytest

from app.sources.reading import charsets

# A text of each charset, by the names that it goes by.
REAL = {
    "iso-8859-1": "é", "ISO_8859-1:1987": "é", "latin1": "é", "iso-8859-2": "ł", "iso-8859-3": "ħ", "iso-8859-4": "ģ",
    "iso-8859-5": "ж", "iso-8859-6": "ب", "iso-8859-7": "λ", "iso-8859-8": "ש", "iso-8859-8-i": "ש", "iso-8859-9": "ş",
    "iso-8859-10": "ŋ", "iso-8859-11": "ก", "iso-8859-13": "ų", "iso-8859-14": "ŵ", "iso-8859-15": "€",
    "iso-8859-16": "ș", "windows-1250": "ł", "windows-1251": "ж", "win-1251": "ж", "cp1251": "ж", "windows-1252": "€",
    "windows-1253": "λ", "windows-1254": "ş", "windows-1255": "ש", "windows-1256": "ب", "windows-1257": "ų",
    "windows-1258": "ơ", "windows-874": "ก", "tis-620": "ก", "koi8-r": "ж", "KOI8-U": "ї", "cp866": "ж", "ibm850": "é",
    "macintosh": "é", "x-mac-cyrillic": "ж", "shift_jis": "日本", "Shift-JIS": "日本", "sjis": "日本", "x-sjis": "日本",
    "windows-31j": "髙", "gb2312": "中国", "GBK": "中國", "x-gbk": "中國", "gb18030": "𠀀", "big5": "中國",
    "big5-hkscs": "中國", "euc-jp": "日本", "euc-kr": "한국", "ks_c_5601-1987": "한국", "utf-16le": "é",
    "UTF-16BE": "é",
}  # fmt: skip
CODECS = {"x-sjis": "cp932", "windows-31j": "cp932", "win-1251": "cp1251", "x-gbk": "gbk", "iso-8859-8-i": "iso-8859-8"}
CODECS |= {"windows-874": "cp874", "x-mac-cyrillic": "mac_cyrillic"}
UNKNOWN = [
    "klingon",
    "punycode",
    "idna",
    "rot13",
    "uu",
    "zlib",
    "bz2",
    "hex",
    "base64",
    "quopri",
    "mbcs",
    "undefined-8",
]
UNKNOWN += ["unicode_escape", "raw_unicode_escape", "utf-7", "johab", "hz", "iso2022_kr", "cp037", "../../x", "a.b", ""]


@pytest.mark.parametrize("name", REAL)
def test_a_real_charset_is_decoded_by_each_of_its_names(name: str) -> None:
    text = f'["{REAL[name]}", "a\\\\b~"]'

    read = charsets.convert_to_utf8(text.encode(CODECS.get(name, name)), name)

    assert (read.body.decode(), read.replaced) == (text, 0)
    assert charsets.is_known(name)


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_no_charset_is_not_known_and_is_never_run(name: str) -> None:
    assert not charsets.is_known(name)
    assert charsets.convert_to_utf8(b'["\xc3\xa9"]', name).body == b'["\xc3\xa9"]'


@pytest.mark.parametrize("name", [None, "utf-8", "utf-16", "UTF-32", "binary", "none"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-16-le", "utf-32", "utf-32-be"])
def test_the_unicode_encodings_are_told_apart_by_their_first_bytes(name: str | None, encoding: str) -> None:
    assert charsets.convert_to_utf8('["é"]'.encode(encoding), name).body == '["é"]'.encode()


@pytest.mark.parametrize(
    ("body", "name", "text", "replaced"),
    [
        (b'["\x83"]', "shift_jis", '["\ufffd"]', 1),
        (b'["\x84\x31\xa4\x37\xff"]', "gb18030", '["\ufffd\ufffd"]', 1),
        (b'["\x81"]', "windows-1252", '["\ufffd"]', 1),
        (b'[\x00"\x00\x00\xd8"\x00]\x00', "utf-16le", '["\ufffd"]', 1),
    ],
)
def test_what_a_charset_does_not_have_is_replaced_and_counted(body: bytes, name: str, text: str, replaced: int) -> None:
    read = charsets.convert_to_utf8(body, name)

    assert (read.body.decode(), read.replaced) == (text, replaced)


@pytest.mark.parametrize("name", sorted(charsets.REAL))
def test_the_worst_bytes_of_a_charset_take_linear_time(name: str) -> None:
    begun = time.process_time()

    for worst in (b"\xff", b"\x81", b"\x84\x31\xa4", b"\xd8\x00"):
        charsets.convert_to_utf8(worst * (1_000_000 // len(worst)), name)

    assert time.process_time() - begun < 5


@pytest.mark.parametrize("name", sorted(charsets.REAL))
def test_ascii_is_ascii_in_every_charset(name: str) -> None:
    text = "".join(map(chr, range(0x20, 0x7F)))

    assert (
        charsets.convert_to_utf8(text.encode(name if name.startswith("utf") else "ascii"), name).body == text.encode()
    )


@pytest.mark.parametrize(
    ("content_type", "name"),
    [
        ("text/plain", None),
        (None, None),
        ("application/json;charset=UTF-8", "UTF-8"),
        ('application/json; Charset = "koi8-r"; q=1', "koi8-r"),
        ("application/json; charset=", None),
    ],
)
def test_the_charset_of_a_content_type_is_found(content_type: str | None, name: str | None) -> None:
    assert charsets.find_charset(content_type) == name
