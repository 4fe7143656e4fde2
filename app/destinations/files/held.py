"""Which records a file holds, of any format."""

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
from app.services.destinations.ports import HeldKey

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_COLUMNS: Final = ("remote_id", "sequence", "deleted_at")
_GZIP_WINDOW_BITS: Final = 31


def read_held(store: ObjectStore, path: str) -> Iterator[HeldKey]:
    """Yield what each row of a file holds; nothing of one that was removed meanwhile."""
    content = store.get(path)
    if content is None:
        return
    for end, unpack in _UNPACK.items():
        if path.endswith(end):
            content, path = unpack(content), path.removesuffix(end)
    yield from _READERS[path.rpartition(".")[2]](content)


def _read_parquet(content: bytes) -> Iterator[HeldKey]:
    parquet = import_extra("app.formats.parquet", extra="parquet")
    for key, sequence, deleted_at in parquet.read_columns(content, _COLUMNS):
        yield HeldKey(key, sequence, deleted_at is not None)


def _read_lines(content: bytes) -> Iterator[HeldKey]:
    for line in content.splitlines():
        row = json.loads(line)
        yield HeldKey(row["remote_id"], row["sequence"], bool(row.get("deleted_at")))


def _read_csv(content: bytes) -> Iterator[HeldKey]:
    csv.field_size_limit(sys.maxsize)
    for row in csv.DictReader(io.StringIO(content.decode(), newline="")):
        yield HeldKey(row["remote_id"], int(row["sequence"]), bool(row["deleted_at"]))


_READERS: Final[Mapping[str, Callable[[bytes], Iterator[HeldKey]]]] = MappingProxyType(
    {"parquet": _read_parquet, "jsonl": _read_lines, "csv": _read_csv}
)
_UNPACK: Final[Mapping[str, Callable[[bytes], bytes]]] = MappingProxyType(
    {".gz": lambda content: zlib.decompress(content, _GZIP_WINDOW_BITS), ".zst": zstd.decompress}
)
