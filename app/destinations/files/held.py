"""Which records a file holds: their ids and sequences, of any format."""

import csv
import io
import json
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from app.destinations.files.ports import ObjectStore
from app.formats.formats import import_extra

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_COLUMNS: Final = ("remote_id", "sequence")
_GZIP_WINDOW_BITS: Final = 31


def read_held(store: ObjectStore, path: str) -> Iterator[tuple[str, int]]:
    """Yield the id and sequence of each row of a file; none of one that was removed meanwhile."""
    content = store.get(path)
    if content is None:
        return
    for end, unpack in _UNPACK.items():
        if path.endswith(end):
            content, path = unpack(content), path.removesuffix(end)
    yield from _READERS[path.rpartition(".")[2]](content)


def _read_parquet(content: bytes) -> Iterator[tuple[str, int]]:
    parquet = import_extra("app.formats.parquet", extra="parquet")
    yield from parquet.read_columns(content, _COLUMNS)


def _read_lines(content: bytes) -> Iterator[tuple[str, int]]:
    for line in content.splitlines():
        row = json.loads(line)
        yield row["remote_id"], row["sequence"]


def _read_csv(content: bytes) -> Iterator[tuple[str, int]]:
    csv.field_size_limit(sys.maxsize)
    for row in csv.DictReader(io.StringIO(content.decode(), newline="")):
        yield row["remote_id"], int(row["sequence"])


_READERS: Final[Mapping[str, Callable[[bytes], Iterator[tuple[str, int]]]]] = MappingProxyType(
    {"parquet": _read_parquet, "jsonl": _read_lines, "csv": _read_csv}
)
_UNPACK: Final[Mapping[str, Callable[[bytes], bytes]]] = MappingProxyType(
    {".gz": lambda content: zlib.decompress(content, _GZIP_WINDOW_BITS), ".zst": zstd.decompress}
)
