"""Bodies that arrive packed: every encoding, in every cut, stacked, broken and too large."""

import gzip
import random
import sys
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from typing import Any

import brotli
import pytest

from app.sources.reading import content_encodings
from app.sources.reading.content_encodings import STEP_BYTES, Body, OverLimitError, UnpackingError

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
    assert content_encodings.find_unknown(headers) == name


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


def nothing_in_blocks() -> bytes:
    """Return a deflate stream of empty blocks, whose Huffman tables are all to be read."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    stream = packer.compress(b"a" * 300)
    return stream + b"".join(packer.flush(zlib.Z_FULL_FLUSH) for _ in range(100_000)) + packer.flush()


HOSTILE: dict[str, tuple[str, Callable[[], bytes]]] = {
    **{f"a bomb in {name}": (name, partial(pack, b" " * 5_000_000)) for name, pack in PACKERS.items()},
    "a bomb in a bomb": ("gzip, gzip", lambda: gzip.compress(gzip.compress(b" " * 5_000_000))),
    "a bomb in four": (
        "gzip, br, zstd, deflate",
        lambda: zlib.compress(zstd.compress(brotli.compress(gzip.compress(TEXT)))),
    ),
    "noise": ("gzip", lambda: gzip.compress(random.Random(1).randbytes(1_000_000))),
    "tiny gzip members": ("gzip", lambda: gzip.compress(b"x") * 20_000),
    "empty gzip members": ("gzip", lambda: gzip.compress(b"") * 20_000),
    "empty gzip members, packed": ("gzip, gzip", lambda: gzip.compress(gzip.compress(b"") * 20_000)),
    "tiny zstd frames": ("zstd", lambda: zstd.compress(b"x") * 20_000),
    "empty zstd frames": ("zstd", lambda: zstd.compress(b"") * 20_000),
    "skipped zstd frames": ("zstd", lambda: b"\x50\x2a\x4d\x18\x01\0\0\0x" * 20_000 + zstd.compress(b"")),
    "empty deflate blocks": ("deflate", nothing_in_blocks),
}


@pytest.mark.parametrize(("encodings", "pack"), HOSTILE.values(), ids=HOSTILE)
def test_no_step_of_unpacking_is_long_whatever_is_unpacked(
    encodings: str, pack: Callable[[], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0
    for stage in ("_Gzip", "_Deflate", "_Brotli", "_Zstandard"):
        feed = getattr(content_encodings, stage).feed

        def counted(self: Any, data: bytes, feed: Any = feed) -> Iterator[bytes]:
            nonlocal calls
            for piece in feed(self, data):
                calls += 1
                yield piece

        monkeypatch.setattr(getattr(content_encodings, stage), "feed", counted)
    body = Body([encodings], limit_bytes=LIMIT)

    longest_bytes = most_calls = before = 0
    for _ in chain(body.add(pack()), (None,)):
        longest_bytes, before = max(longest_bytes, body.size - before), body.size
        most_calls, calls = max(most_calls, calls), 0

    body.finish()
    assert longest_bytes <= 3 * STEP_BYTES
    assert most_calls <= 200


@pytest.mark.parametrize("pack", [gzip.compress, zstd.compress])
def test_many_tiny_members_take_linear_time(pack: Callable[[bytes], bytes]) -> None:
    packed = pack(b"x") * 20_000
    begun = time.process_time()

    assert unpacked(packed, "zstd" if pack is zstd.compress else "gzip") == b"x" * 20_000
    assert time.process_time() - begun < 10


def test_a_body_in_tiny_pieces_takes_no_more_memory_than_its_bytes() -> None:
    body = Body([], limit_bytes=LIMIT)
    tracemalloc.start()

    for _ in range(100_000):
        taken(body, b"[" + b"]")
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert body.content == b"[]" * 100_000
    assert held < 2 * 200_000


def test_a_zstd_frame_may_not_ask_for_a_window_beyond_8_mib() -> None:
    wide, distant = zstd.CompressionParameter.window_log, zstd.CompressionParameter.enable_long_distance_matching
    options: dict[int, int] = {wide: 24, distant: 1}
    packer = zstd.ZstdCompressor(options=options)
    packed = packer.compress(b"x" * 100) + packer.compress(b"y" * 20_000_000, mode=packer.FLUSH_FRAME)

    with pytest.raises(UnpackingError):
        unpacked(packed, "zstd", limit_bytes=100_000_000)


def test_what_is_accepted_is_what_can_be_undone() -> None:
    assert content_encodings.find_unknown([content_encodings.ACCEPTED]) is None


def test_what_unpacking_remembers_counts_although_nothing_comes_out() -> None:
    # A Brotli stream with a window of 16 MiB, of one block of 8 MB that is to be skipped.
    nothing = skipped(8_000_000)
    body = Body(["br, br"], limit_bytes=100_000_000)

    for _ in body.add(brotli.compress(nothing)):
        pass

    assert body.size == 0
    assert body.memory_bytes >= 8_000_000


def skipped(size: int) -> bytes:
    """Write a Brotli stream that holds nothing but metadata (RFC 7932, 9.2)."""
    # From the lowest bit on: a window of 24 bits, not the last block, metadata, its length in three bytes.
    head = 0b1111 | 3 << 5 | 3 << 8 | (size - 1) << 10
    return head.to_bytes(5, "little") + bytes(size) + bytes([3])


def test_a_short_answer_counts_as_it_is() -> None:
    body = Body(["gzip"], limit_bytes=1000)

    for _ in body.add(gzip.compress(b"a" * 100)):
        pass

    assert body.memory_bytes == body.size == 100
