"""Build what an API process keeps of datastores, destinations and schemas."""

import time

from app.api.resources.services import LandingServices
from app.bootstrap.shared import Shared
from app.services.destinations.datastores import DatastoreRules, DatastoreService
from app.services.destinations.destinations import DestinationService
from app.services.destinations.verifying import DestinationVerification
from app.services.schemas.schemas import SchemaService
from app.settings import Settings
from app.store.catalog.jobs import JobStore
from app.store.destinations.log import DestinationLog
from app.store.schemas.shown import ShownSchemaStore


def build_landing_services(shared: Shared, settings: Settings) -> LandingServices:
    """Build what keeps where records land, and with which columns."""
    rules = DatastoreRules(
        may_lack_credentials=bool(settings.ambient_credentials), has_directory=bool(settings.destination_directory)
    )
    datastores, destinations = shared.datastores, shared.destinations
    schemas = ShownSchemaStore(shared.engine)
    return LandingServices(
        datastores=DatastoreService(
            datastores, datastores.inspect, destinations.wake_datastore, writers=shared.writers, rules=rules
        ),
        destinations=DestinationService(
            destinations, datastores.inspect, shared.accounts.inspect, JobStore(shared.engine)
        ),
        verification=DestinationVerification(
            destinations, datastores, DestinationLog(shared.engine), shared.writers, time.monotonic
        ),
        schemas=SchemaService(schemas, schemas.list, schemas.update, shared.clock),
    )
