"""Build what ``ferryman doctor`` looks at."""

from app.bootstrap.encryption import check_encryption_key
from app.bootstrap.operators import connect_operator
from app.bootstrap.shared import SystemClock
from app.broker.broker_health import read_broker_facts
from app.broker.dispatcher import CeleryDispatcher, build_publisher
from app.engine.errors import FerrymanError
from app.services.diagnosis.findings import Installation
from app.services.diagnosis.fleet import FleetStatus
from app.settings import Settings
from app.store.maintenance.daemons import DaemonStore
from app.store.maintenance.database_health import DatabaseHealth
from app.store.maintenance.fleet import FleetReader


def read_installation(settings: Settings) -> Installation:
    """Read how an installation stands; raise StoreUnavailableError."""
    engine = connect_operator(settings)
    try:
        database = DatabaseHealth(engine).read()
        publisher = build_publisher(settings.broker_url, timeout_seconds=settings.publish_timeout_seconds)
        dispatcher = CeleryDispatcher(publisher)
        is_current = database.revision == database.newest_revision
        silence_seconds = max(settings.daemon_silence_seconds, settings.deaf_seconds)
        reader = FleetReader(engine, DaemonStore(engine), silence_seconds=silence_seconds)
        fleet = FleetStatus(reader.read, reader.list_targets, dispatcher.look_at, SystemClock())
        return Installation(
            database=database,
            broker=read_broker_facts(publisher, is_reachable=dispatcher.is_reachable()),
            fleet=fleet.read() if is_current else None,
            has_message_key=bool(settings.message_key),
            key_fault=_find_key_fault(settings) if is_current else None,
        )
    finally:
        engine.dispose()


def _find_key_fault(settings: Settings) -> str | None:
    try:
        check_encryption_key(settings)
    except FerrymanError as error:
        return str(error)
    return None
