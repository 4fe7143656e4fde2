"""Open what writes to a destination."""

from app.engine.errors import DestinationError
from app.engine.objects.destinations import Datastore, DatastoreType, Destination
from app.services.destinations.ports import DestinationWriter, OpenWriter, Target, Writers
from app.services.destinations.work import Claimed


def open_writer(writers: Writers, claimed: Claimed) -> DestinationWriter:
    """Return the writer of a destination; raise DestinationError where its type's libraries are not installed."""
    return open_target(writers, claimed.destination, claimed.datastore, claimed.environment_name)


def open_target(
    writers: Writers, destination: Destination, datastore: Datastore, environment_name: str = ""
) -> DestinationWriter:
    """Return the writer of a destination in its datastore, as ``open_writer`` does."""
    return find_opener(writers, datastore.type)(
        Target(
            destination_id=destination.id,
            environment_id=destination.environment_id,
            environment_name=environment_name,
            type=datastore.type,
            config=datastore.config,
            options=destination.options,
            mode=destination.mode,
            deletes=destination.deletes,
            layout=destination.layout,
        )
    )


def open_for_test(writers: Writers, datastore: Datastore) -> DestinationWriter:
    """Return a writer that is only tested: it belongs to no destination."""
    return find_opener(writers, datastore.type)(
        Target(
            destination_id=datastore.id,
            environment_id=datastore.environment_id,
            environment_name="",
            type=datastore.type,
            config=datastore.config,
        )
    )


def find_opener(writers: Writers, kind: DatastoreType) -> OpenWriter:
    """Return what opens a type of datastore; raise DestinationError."""
    if kind not in writers:
        raise DestinationError(
            f"datastores of the type {kind} need an extra that is not installed here: pip install 'ferryman[{kind}]'",
            code="extra_missing",
            is_final=True,
        )
    return writers[kind]
