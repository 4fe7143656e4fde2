"""Which writer serves which type of datastore; its libraries are imported at its first use only."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from app.destinations.files.local_objects import LocalObjects
from app.destinations.files.ports import ObjectStore
from app.destinations.files.prefixed_objects import PrefixedObjects
from app.destinations.files.writer import FilesWriter
from app.engine.destinations.datastore_config import check_config
from app.engine.destinations.file_options import read_file_choices
from app.engine.errors import DestinationError, MissingExtraError
from app.engine.objects.destinations import DatastoreType
from app.formats.formats import import_extra
from app.net.addresses import AllowedNetworks
from app.services.destinations.ports import DestinationWriter, OpenWriter, Target, Writers
from app.services.ports import Clock
from app.settings import Settings

_EXTRAS: Final = {
    DatastoreType.S3: ("app.destinations.files.obstore_objects", "open_s3", "files"),
    DatastoreType.AZURE_BLOB: ("app.destinations.files.obstore_objects", "open_azure", "files"),
    DatastoreType.GOOGLE_CLOUD_STORAGE: ("app.destinations.files.google_objects", "open_google", "gcs"),
}
"""What opens each type of object store: a module, its function, and the extra that it needs."""


def build_writers(settings: Settings, allowed: AllowedNetworks, clock: Clock) -> Writers:
    """Return how each type of datastore is opened."""
    files = partial(_open_files, settings=settings, allowed=allowed, clock=clock)
    return {
        DatastoreType.POSTGRES: _open_postgres(allowed),
        DatastoreType.S3: files,
        DatastoreType.AZURE_BLOB: files,
        DatastoreType.GOOGLE_CLOUD_STORAGE: files,
        DatastoreType.FILESYSTEM: files,
        DatastoreType.DUCKDB: partial(_open_duckdb, settings=settings),
    }


def _open_postgres(allowed: AllowedNetworks) -> OpenWriter:
    from app.destinations.postgres.kept import KeptConnections  # noqa: PLC0415 - see the module's docstring

    kept = KeptConnections()

    def open_writer(target: Target) -> DestinationWriter:
        from app.destinations.postgres.writer import PostgresWriter  # noqa: PLC0415 - see the module's docstring

        return PostgresWriter(target, allowed=allowed, kept=kept)

    return open_writer


def _open_files(target: Target, *, settings: Settings, allowed: AllowedNetworks, clock: Clock) -> DestinationWriter:
    choices = read_file_choices(target.options)
    with _explain_missing_extras():
        if choices.format == "parquet":
            import_extra("app.formats.parquet", extra="parquet")
        store = _open_store(target, settings, allowed)
    return FilesWriter(store, target, choices, clock)


def _open_store(target: Target, settings: Settings, allowed: AllowedNetworks) -> ObjectStore:
    if target.type is DatastoreType.FILESYSTEM:
        return LocalObjects(_find_directory(settings) / target.config["path"])
    faults = check_config(target.type, target.config, may_lack_credentials=bool(settings.ambient_credentials))
    if faults:
        # What the operator allowed when it was saved may not be allowed any more.
        raise DestinationError("; ".join(fault.message for fault in faults), code="invalid_config", is_final=True)
    module, name, extra = _EXTRAS[target.type]
    open_store: Callable[..., ObjectStore] = getattr(import_extra(module, extra=extra), name)
    store = open_store(target.config, allowed)
    prefix = target.config.get("prefix", "")
    return PrefixedObjects(store, prefix) if prefix else store


def _open_duckdb(target: Target, *, settings: Settings) -> DestinationWriter:
    with _explain_missing_extras():
        module = import_extra("app.destinations.duckdb.writer", extra="duckdb")
    writer: DestinationWriter = module.DuckDbWriter(target, _find_directory(settings) / target.config["path"])
    return writer


@contextmanager
def _explain_missing_extras() -> Iterator[None]:
    try:
        yield
    except MissingExtraError as error:
        raise DestinationError(error.message, code="extra_missing", is_final=True) from error


def _find_directory(settings: Settings) -> Path:
    if not settings.destination_directory:
        message = "the operator of this Ferryman has set no directory for files: FERRYMAN_DESTINATION_DIRECTORY"
        raise DestinationError(message, code="no_directory", is_final=True)
    return Path(settings.destination_directory)
