"""What the records of a job's items are known by."""

from collections.abc import Sequence

from app.engine.integrations.config import IntegrationConfig
from app.engine.jobs import definition, planning
from app.engine.jobs.items import NodeKind, ResourceItem
from app.engine.jobs.planning import RunPlan
from app.engine.jobs.rekeying import keys_of
from app.engine.json_types import JSON, JsonObject
from app.engine.record_errors import SourceError
from app.engine.records.keys import BY_ID, RecordKey
from app.engine.unified.model import unified_name


def key_of(item: ResourceItem, plan: RunPlan, config: IntegrationConfig) -> RecordKey:
    """Return what an item's records are known by; a transform's are known as those of its origin.

    Raises SourceError for a method that the integration does not have.
    """
    line = [item, *plan.ancestors_of(item.name)]
    place = next(position for position, one in enumerate(line) if one.is_request)
    origin = line[place]
    own = BY_ID if unified_name(origin.resource) else config.method(origin.resource, origin.method).key
    is_mixed = any(one.kind is NodeKind.SPOOL for one in line[:place])
    key = own.within((field.name for field in item.included), may_lack_them=is_mixed)
    return key if item.is_request else key.undeclared()


def keys_of_job(resources: JSON, config: IntegrationConfig) -> dict[str, list[JsonObject]]:
    """Return the keys by which a job's records are kept, by resource; a faulty job keeps none."""
    items, faults = definition.parse_resources(resources)
    return {} if faults else keys_of(_kept(items, config))


def _kept(items: Sequence[ResourceItem], config: IntegrationConfig) -> list[tuple[str, RecordKey]]:
    plan = planning.plan(items)
    found: list[tuple[str, RecordKey]] = []
    for item in items:
        try:
            found += [(item.resource, key_of(item, plan, config))] if item.persist else []
        except SourceError:
            # A run of it would fail; it keeps nothing by this key.
            continue
    return found
