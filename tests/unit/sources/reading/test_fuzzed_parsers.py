"""Whatever a parser is given, it reads it, or raises the one error that it says."""

import gzip
import json
import os
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import brotli
import pytest
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.engine.errors import FerrymanError, InvalidInputError, UnreadableSecretError
from app.engine.integrations import token_answers
from app.engine.integrations.answer_format import AnswerFormat
from app.engine.integrations.pagination import NextIs
from app.engine.integrations.token_answers import TokenPlaces
from app.engine.limits import headers as rate_signs
from app.engine.record_errors import SourceError
from app.engine.templating import request_paths, tokens
from app.services.calls.ports import SealPurpose
from app.sources.cassettes.cassettes import CassetteError, CassettePlayer
from app.sources.pagination import next_links, positions
from app.sources.reading import charsets, documents
from app.sources.reading.content_encodings import Body, UnpackingError
from app.sources.reading.documents import UnreadableError
from app.store.db import paging
from app.store.secrets.encryption import Cipher, TokenSeal

EXAMPLES = int(os.environ.get("FUZZ_PARSED", "40"))
LIMIT_BYTES = 64 * 1024
NOW = datetime(2026, 3, 1, tzinfo=UTC)
MASTER_KEY = Fernet.generate_key().decode()
REQUESTED = "https://api.test/v1/items?limit=2"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
numbers = st.integers(0, 400)


@st.composite
def mutated(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """Draw a valid input of which a part is cut out, doubled or replaced, up to four times."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 4))):
        start, length = draw(numbers), draw(st.integers(0, 12))
        kept = data[start : start + length]
        data = data[:start] + draw(st.sampled_from([b"", kept * 2]) | st.binary(max_size=8)) + data[start + length :]
    return data


def texts(*seeds: str) -> st.SearchStrategy[str]:
    """Draw texts that are nearly right, and any other."""
    return mutated([seed.encode() for seed in seeds]).map(lambda data: data.decode(errors="replace")) | st.text()


class NoKeys:
    """A store of keys that nobody has any of."""

    def read_current(self) -> None:
        return None

    def list_wrapped(self) -> dict[str, bytes]:
        return {}

    def refuses_unbound(self) -> bool:
        return False


ANSWERS = [
    b'{"items": [{"id": 1, "name": "\\u00e9\\ud83d\\ude00", "at": 1e3}], "next": null}',
    b'{"id": 12345678901234567890}\n{"id": 2}\n',
    b"\x1e[1]\n\x1e[2]\n",
    b'<?xml version="1.0" encoding="iso-8859-1"?><a xmlns:b="c"><b:d e="1">\xe9</b:d><![CDATA[x]]><!-- y --></a>',
    '["\u0416\u0443\u043a"]'.encode("koi8-r"),
    '{"\u65e5": 1}'.encode("utf-16"),
    b"[" * 300 + b"]" * 300,
]
PLAIN = b'{"items": [1, 2, 3]}' * 20
PACKED = {"gzip": gzip.compress(PLAIN) * 2, "deflate": zlib.compress(PLAIN), "br": brotli.compress(PLAIN)}
CASSETTE = json.dumps(
    {
        "log": {
            "version": "1.2",
            "_ferryman": {"version": 1},
            "entries": [
                {
                    "request": {"method": "GET", "url": "https://a.test/x", "headers": []},
                    "response": {
                        "status": 200,
                        "headers": [{"name": "Content-Type", "value": "application/json"}],
                        "content": {"text": "W10=", "encoding": "base64"},
                    },
                }
            ],
        }
    }
).encode()


def read_answer(drawn: tuple[bytes, str | None, AnswerFormat]) -> None:
    documents.read(*drawn)
    documents.read_at_once(*drawn)


def unpack(drawn: tuple[list[str], bytes, int]) -> None:
    names, data, step = drawn
    body = Body(names, limit_bytes=LIMIT_BYTES)
    for start in range(0, len(data), step):
        for _ in body.add(data[start : start + step]):
            pass
    body.finish()
    assert len(body.content) <= LIMIT_BYTES


def follow(drawn: tuple[Any, NextIs]) -> None:
    value, next_is = drawn
    next_links.find_link(value, requested=REQUESTED, next_is=next_is)
    next_links.join_link("items?page=2", value, requested=REQUESTED, next_is=next_is)


def play(data: bytes, path: Path) -> None:
    path.write_bytes(data)
    CassettePlayer.read(path)


def open_token(sealed: bytes) -> None:
    TokenSeal(Cipher(MASTER_KEY, NoKeys())).open(sealed, SealPurpose.NEXT_CURSOR)  # type: ignore[arg-type]


HEADERS = st.dictionaries(
    st.sampled_from(["ratelimit", "retry-after", "x-ratelimit-reset", "x-ratelimit-remaining", "content-range"]),
    texts('"default";r=50;t=30', "Sun, 06 Nov 1994 08:49:37 GMT", "1e999", "-1", "bytes 0-1/2", "items */9" * 3),
)
FORMS = st.sampled_from([form for form in AnswerFormat if form is not AnswerFormat.AUTO])
CHARSETS = st.none() | st.sampled_from(sorted(charsets.REAL)) | texts("utf-8", "Shift_JIS", "punycode", "rot13", "idna")
ENCODINGS = st.lists(st.sampled_from([*PACKED, "x-gzip", "zstd", "utf-8", "gzip, br"]), max_size=5)

Parser = Callable[[Any], object]
TARGETS: dict[str, tuple[st.SearchStrategy[Any], Parser, type[Exception] | tuple[()]]] = {
    "answers": (st.tuples(mutated(ANSWERS) | st.binary(), CHARSETS, FORMS), read_answer, UnreadableError),
    "content encodings": (
        st.tuples(ENCODINGS, mutated([*PACKED.values(), PLAIN]), st.sampled_from([1, 7, 4096])),
        unpack,
        UnpackingError,
    ),
    "charset names": (texts('application/json; charset="utf-8"', "text/xml;charset=x"), charsets.find_charset, ()),
    "Link headers": (
        st.lists(texts('<https://a.test/?p=2>; rel="next prev"; results="true", </x>; rel=last'), max_size=3),
        next_links.find_next_link,
        (),
    ),
    "next links": (
        st.tuples(json_values | texts("?a=b", "//[::1/x", "https://a.test/v1/items?page=2"), st.sampled_from(NextIs)),
        follow,
        (),
    ),
    "headers of limits": (HEADERS, lambda headers: rate_signs.read_headers(headers, now=NOW, server_date=None), ()),
    "content ranges": (HEADERS, positions.parse_content_range, ()),
    "tokens' answers": (
        st.dictionaries(st.sampled_from(["access_token", "expires_in", "expires_at", "data", "x"]), json_values),
        lambda answer: token_answers.read(answer, TokenPlaces()),
        SourceError,
    ),
    "placeholders": (
        texts("args.id?:1", 'a."b c"[0]|c:int:undefined', "x.@odata.id:segment", "a[-1]['b']"),
        tokens.parse_token,
        ValueError,
    ),
    "callers' paths": (
        texts("a/%252e%252e/b", "/v1/x;..", "%c0%ae", "a%2Fb?c#d") | st.text(),
        lambda path: request_paths.check_caller(path, "path"),
        InvalidInputError,
    ),
    "cursors": (
        texts(paging.encode_cursor("created_at", "2026", "x"), "e30", "W10="),
        lambda cursor: paging.decode_cursor(cursor, 3),
        InvalidInputError,
    ),
    "sealed tokens": (
        mutated([b"k2:12345678:AAAA", b"k:12345678:gAAAA", Fernet(MASTER_KEY).encrypt(b"{}"), b"::"]) | st.binary(),
        open_token,
        UnreadableSecretError,
    ),
}


@pytest.mark.parametrize("target", TARGETS)
def test_a_parser_raises_nothing_but_its_own_error(target: str) -> None:
    inputs, parse, error = TARGETS[target]

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(inputs)
    def holds(drawn: Any) -> None:
        try:
            parse(drawn)
        except error as raised:
            assert isinstance(raised, FerrymanError | ValueError)

    holds()


def test_a_cassette_is_refused_as_a_whole(tmp_path: Path) -> None:
    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(mutated([CASSETTE]) | json_values.map(lambda value: json.dumps(value).encode()))
    def holds(data: bytes) -> None:
        try:
            play(data, tmp_path / "cassette.har")
        except CassetteError as error:
            assert "cassette" in error.message

    holds()
