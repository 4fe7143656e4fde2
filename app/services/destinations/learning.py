"""Learn the columns of what is about to be written, before it is: a target never meets a value without a column."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.engine.destinations.frozen import build_judge
from app.engine.json_types import JSON
from app.engine.objects.environments import EnvironmentId
from app.engine.schemas.columns import ResourceSchema, SchemaPolicy
from app.engine.schemas.declaring import declare, read_types
from app.engine.schemas.learning import learn, seen_in
from app.engine.schemas.values import fit
from app.services.destinations.ports import Batch, LoggedRecord, Quarantined
from app.services.destinations.work import Claimed
from app.services.ports import Clock, SchemaStore


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedBatch:
    """A batch whose records have columns, and those that were left out of it."""

    batch: Batch
    quarantined: Sequence[Quarantined] = ()


class BatchLearner:
    """Learns schemas from batches, and knows those that it has learned during one slice."""

    def __init__(self, schemas: SchemaStore, clock: Clock, claimed: Claimed) -> None:
        self._schemas = schemas
        self._declared: Mapping[str, JSON] | None = None
        self._clock = clock
        self._environment_id: EnvironmentId = claimed.environment_id
        self._integration_name = claimed.integration_name
        self._known: dict[str, ResourceSchema] = {}

    def learn(self, resource: str, records: Sequence[LoggedRecord]) -> LearnedBatch:
        """Return the records of a resource with their schema; what does not fit a frozen one is quarantined."""
        schema = self._learn(resource, records)
        if schema.policy is not SchemaPolicy.FREEZE:
            return LearnedBatch(batch=Batch(resource=resource, schema=schema, records=records))
        judge = build_judge(schema)
        reasons = [None if record.deleted_at else judge(record.data) for record in records]
        fitting = [record for record, reason in zip(records, reasons, strict=True) if reason is None]
        quarantined = [
            Quarantined(resource=resource, remote_id=record.remote_id, sequence=record.sequence, reason=reason)
            for record, reason in zip(records, reasons, strict=True)
            if reason is not None
        ]
        return LearnedBatch(batch=Batch(resource=resource, schema=schema, records=fitting), quarantined=quarantined)

    def read(self, resource: str) -> ResourceSchema:
        """Return the schema of a resource as it is."""
        if resource not in self._known:
            self._known[resource] = self._schemas.read(
                self._environment_id, self._integration_name, resource
            ) or ResourceSchema(
                environment_id=self._environment_id, integration_name=self._integration_name, resource=resource
            )
        return self._known[resource]

    def list_resources(self) -> list[str]:
        """List the resources of which something is known."""
        found = self._schemas.list(self._environment_id, integration_name=self._integration_name)
        return [schema.resource for schema in found]

    def _learn(self, resource: str, records: Sequence[LoggedRecord]) -> ResourceSchema:
        seen, at = seen_in(record.data for record in records), self._clock.now()
        types = read_types(self._list_declared().get(resource))

        def change(schema: ResourceSchema) -> ResourceSchema:
            # What is declared comes first, as where views are learned: it has the plain name of its key.
            schema = declare(schema, types, at)
            return learn(schema, seen, at, unread=_find_unread(schema, records))

        known = self.read(resource)
        if change(known) != known:
            self._known[resource] = self._schemas.save(self._environment_id, self._integration_name, resource, change)
        return self._known[resource]

    def _list_declared(self) -> Mapping[str, JSON]:
        if self._declared is None:
            self._declared = self._schemas.list_declared(self._environment_id, self._integration_name)
        return self._declared


def _find_unread(schema: ResourceSchema, records: Sequence[LoggedRecord]) -> set[str]:
    """Return the keys with texts that the column which was declared for them does not read."""
    return {
        column.key
        for column in schema.columns
        if column.is_declared
        for record in records
        if isinstance(record.data, dict)
        and isinstance(value := record.data.get(column.key), str)
        and fit(value, column) is None
    }
