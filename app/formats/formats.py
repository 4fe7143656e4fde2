"""The formats of files, and what makes them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final

from app.engine.errors import MissingExtraError
from app.formats.compression import CompressedEncoder, Compressor, open_gzip, open_zstd
from app.formats.csv_lines import CsvEncoder
from app.formats.json_lines import JsonLinesEncoder
from app.formats.layout import FileLayout
from app.formats.ports import RowEncoder


class FileFormat(StrEnum):
    """What a file is; the values are the ends of its name."""

    PARQUET = "parquet"
    CSV = "csv"
    JSONL = "jsonl"


class Compression(StrEnum):
    """How a file is compressed as a whole; Parquet compresses its columns itself."""

    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOptions:
    """How a file is written."""

    format: FileFormat
    compression: Compression = Compression.NONE
    keeps_formulas: bool = False
    """Of CSV: texts that a spreadsheet would execute stay as they are."""

    @property
    def extension(self) -> str:
        """The end of its name."""
        return f".{self.format}{_EXTENSIONS[self.compression]}"


MEDIA_TYPES: Final[Mapping[FileFormat, str]] = MappingProxyType(
    {
        FileFormat.PARQUET: "application/vnd.apache.parquet",
        FileFormat.CSV: "text/csv",
        FileFormat.JSONL: "application/x-ndjson",
    }
)
_EXTENSIONS: Final = MappingProxyType({Compression.NONE: "", Compression.GZIP: ".gz", Compression.ZSTD: ".zst"})
_COMPRESSORS: Final[Mapping[Compression, Callable[[], Compressor]]] = MappingProxyType(
    {Compression.GZIP: open_gzip, Compression.ZSTD: open_zstd}
)


def open_encoder(layout: FileLayout, options: FileOptions) -> RowEncoder:
    """Begin a file; raise MissingExtraError where its format needs a package that is not installed."""
    match options.format:
        case FileFormat.PARQUET:
            encoder: RowEncoder = import_extra("app.formats.parquet", extra="parquet").ParquetEncoder(layout)
            return encoder
        case FileFormat.CSV:
            encoder = CsvEncoder(layout, keeps_formulas=options.keeps_formulas)
        case FileFormat.JSONL:
            encoder = JsonLinesEncoder(layout)
    compressor = _COMPRESSORS.get(options.compression)
    return encoder if compressor is None else CompressedEncoder(encoder, compressor())


def import_extra(module: str, *, extra: str) -> Any:
    """Import a module of ours that needs the packages of an extra; raise MissingExtraError without them."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("app."):
            raise
        raise MissingExtraError(extra) from error
