"""Bodies that arrive packed: every encoding, in every cut, stacked, broken and too large."""

import gzip
import sys
import time
import zlib
from collections.abc import Callable

import brotli
import pytest

from app.sources import content_encodings
from app.sources.content_encodings import Body, OverLimitError, UnpackingError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LIMIT = 10_000_000
TEXT = b'[{"id": 1, "name": "' + bytes(range(32, 127)).replace(b'"', b"").replace(b"\\", b"") * 3000 + b'"}]'


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZip": gzip.compress,
    "deflate": zlib.compress,
    " Deflate": raw_deflate,
    "br": brotli.compress,
    "zstd": zstd.compress,
}
ENCODINGS = pytest.mark.parametrize(("name", "pack"), PACKERS.items(), ids=PACKERS)


def taken(body: Body, data: bytes) -> int:
    """Take data in; give the number of steps."""
    return sum(1 for _ in body.add(data)) + 1


def unpacked(data: bytes, *headers: str, size: int = LIMIT, limit_bytes: int = LIMIT) -> bytes:
    body = Body(headers, limit_bytes=limit_bytes)
    for start in range(0, len(data), size):
        taken(body, data[start : start + size])
    body.finish()
    return body.content


@ENCODINGS
@pytest.mark.parametrize("size", [1, 2, 3, 1000, 16 * 1024, LIMIT])
def test_a_body_is_unpacked_however_it_arrives(name: str, pack: Callable[[bytes], bytes], size: int) -> None:
    assert unpacked(pack(TEXT), name, size=size) == TEXT
    assert unpacked(pack(b""), name, size=size) == b""
    assert unpacked(b"", name, size=size) == b""


@ENCODINGS
def test_a_body_that_is_cut_is_told_at_every_byte(name: str, pack: Callable[[bytes], bytes]) -> None:
    packed = pack(b'[{"id": 1}]')

    for length in range(1, len(packed)):
        with pytest.raises(UnpackingError):
            unpacked(packed[:length], name)


@ENCODINGS
def test_a_body_of_something_else_is_told(name: str, pack: Callable[[bytes], bytes]) -> None:
    with pytest.raises(UnpackingError):
        unpacked(b'{"items": [{"id": 1}]}' * 9, name)


@ENCODINGS
def test_what_comes_out_is_bounded_and_what_fits_is_kept(name: str, pack: Callable[[bytes], bytes]) -> None:
    body = Body([name], limit_bytes=300_000)

    with pytest.raises(OverLimitError, match="more than 300000 bytes"):
        taken(body, pack(b" " * 50_000_000))

    assert 300_000 < len(body.content) <= 300_000 + 512 * 1024


@ENCODINGS
def test_runs_of_one_byte_come_out_whole(name: str, pack: Callable[[bytes], bytes]) -> None:
    for length in (256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 5_000_000):
        assert unpacked(pack(b" " * length), name) == b" " * length


@pytest.mark.parametrize(
    ("headers", "packed"),
    [
        (["gzip, gzip"], gzip.compress(gzip.compress(TEXT))),
        (["deflate", "br"], brotli.compress(zlib.compress(TEXT))),
        (["identity, zstd ,gzip,"], gzip.compress(zstd.compress(TEXT))),
        (["identity"], TEXT),
        (["utf-8"], TEXT),
        (["utf-8, gzip"], gzip.compress(TEXT)),
        ([], TEXT),
    ],
)
def test_encodings_are_undone_in_turn(headers: list[str], packed: bytes) -> None:
    assert unpacked(packed, *headers) == TEXT


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ([], None),
        (["gzip"], None),
        (["identity", ""], None),
        (["compress"], "compress"),
        (["gzip, Compress"], "compress"),
        (["compress, gzip"], "compress"),
        (["br", "gzip", "br", "gzip", "br"], "br"),
    ],
)
def test_an_encoding_that_is_not_undone_has_a_name(headers: list[str], name: str | None) -> None:
    assert content_encodings.unknown(headers) == name


def test_the_stages_between_are_bounded_too() -> None:
    body = Body(["gzip, gzip"], limit_bytes=1_000_000)

    with pytest.raises(OverLimitError):
        taken(body, gzip.compress(gzip.compress(b"") * 200_000))


@pytest.mark.parametrize("size", [1, 7, LIMIT])
def test_what_follows_a_gzip_member_is_another_one_or_ignored(size: int) -> None:
    members = gzip.compress(b"one ") + gzip.compress(b"") + gzip.compress(b"two")

    assert unpacked(members, "gzip", size=size) == b"one two"
    assert unpacked(members + b"\0" * 10, "gzip", size=size) == b"one two"
    assert unpacked(members + b"\x1f", "gzip", size=size) == b"one two"
    assert unpacked(zstd.compress(b"one ") + zstd.compress(b"two"), "zstd", size=size) == b"one two"
    assert unpacked(zlib.compress(b"one") + b"more", "deflate", size=size) == b"one"


@pytest.mark.parametrize("pack", [gzip.compress, zstd.compress])
def test_many_tiny_members_take_linear_time(pack: Callable[[bytes], bytes]) -> None:
    packed = pack(b"x") * 20_000
    begun = time.process_time()

    assert unpacked(packed, "zstd" if pack is zstd.compress else "gzip") == b"x" * 20_000
    assert time.process_time() - begun < 10


def test_what_is_accepted_is_what_can_be_undone() -> None:
    assert content_encodings.unknown([content_encodings.ACCEPTED]) is None
