"""Which writer serves which type of datastore; its libraries are imported at its first use only."""

from app.engine.objects.destinations import DatastoreType
from app.net.addresses import AllowedNetworks
from app.services.destinations.ports import DestinationWriter, OpenWriter, Target, Writers
from app.settings import Settings


def build_writers(settings: Settings, allowed: AllowedNetworks) -> Writers:
    """Return how each type of datastore is opened."""
    return {DatastoreType.POSTGRES: _open_postgres(settings, allowed)}


def _open_postgres(settings: Settings, allowed: AllowedNetworks) -> OpenWriter:
    def open_writer(target: Target) -> DestinationWriter:
        from app.destinations.postgres.writer import PostgresWriter  # noqa: PLC0415 - see the module's docstring

        return PostgresWriter(target, allowed=allowed)

    return open_writer
