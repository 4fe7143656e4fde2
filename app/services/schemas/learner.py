"""The duty that learns columns from what was written, account by account, and has views show them."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from app.engine.schemas import learning
from app.engine.schemas.columns import ResourceSchema
from app.engine.schemas.declaring import declare, read_types
from app.services.maintenance.duties import Duty
from app.services.maintenance.duty_rows import TURN_SECONDS, DutyRows
from app.services.ports import Clock
from app.services.schemas.ports import Declarations, SchemaStore, SeenValues, UnlearnedLog, Views, WrittenValues
from app.services.schemas.shares import Share

_LOGS_AT_ONCE: Final = 20
_VIEWS_AT_ONCE: Final = 20
_EVERY_SECONDS: Final = 1.0
_BUSY_SECONDS: Final = 5.0


class SchemaLearner:
    """The duty that learns. It may die anywhere: what is learned again changes nothing."""

    def __init__(
        self,
        *,
        values: WrittenValues,
        schemas: SchemaStore,
        declarations: Declarations,
        views: Views,
        share: Share,
        clock: Clock,
    ) -> None:
        self._values = values
        self._schemas = schemas
        self._declarations = declarations
        self._views = views
        self._share = share
        self._clock = clock
        self._rows = DutyRows("learning schemas", monotonic=share.monotonic)
        self._view_rows = DutyRows("updating views", monotonic=share.monotonic)
        self._busy_views: dict[str, float] = {}
        """Until when views are left alone that others were at work on."""
        self._heads: Mapping[str, int] = {}
        """By account, how far its log was at the last look."""

    def build_duties(self) -> Sequence[Duty]:
        """Return the duty."""
        return [Duty(name="learning schemas", do=self.run_turn, every_seconds=_EVERY_SECONDS)]

    def run_turn(self) -> bool:
        """Learn for a while; return whether there is more to do at once."""
        logs = self._values.list_unlearned(skipped=self._rows.list_skipped(), limit=_LOGS_AT_ONCE)
        self._note_heads(logs)
        until = self._share.monotonic() + TURN_SECONDS
        left = list(logs)
        while left and self._share.monotonic() < until:
            log = left.pop(0)
            following = self._rows.handle(log.account_id, partial(self._share.take, partial(self._learn_some, log)))
            left += [following] if following is not None else []
            self._update_views()
        self._update_views()
        return bool(left)

    def _note_heads(self, logs: Sequence[UnlearnedLog]) -> None:
        """Take a smaller share while logs go on: somebody writes records, and is not to be slowed."""
        heads = {log.account_id: log.last_sequence for log in logs}
        self._share.is_small = any(heads[id] != self._heads.get(id) for id in heads)
        self._heads = heads

    def _learn_some(self, log: UnlearnedLog) -> UnlearnedLog | None:
        """Learn from the next records of a log; return it as it is then, or None at its end."""
        known = self._schemas.list(log.environment_id, integration_name=log.integration_name)
        stretch = self._values.read(log, known, limit=self._share.batch)
        self._share.count(stretch.rows)
        if stretch.resources:
            self._save(log, known, stretch.resources)
        self._values.move_on(log.account_id, stretch.through)
        if stretch.is_last:
            return None
        return UnlearnedLog(
            account_id=log.account_id,
            environment_id=log.environment_id,
            integration_name=log.integration_name,
            learned_through=stretch.through,
            last_sequence=log.last_sequence,
        )

    def _save(self, log: UnlearnedLog, known: Sequence[ResourceSchema], resources: Mapping[str, SeenValues]) -> None:
        declared = self._declarations.of(log.environment_id, log.integration_name)
        by_resource = {schema.resource: schema for schema in known}
        for resource, seen in resources.items():
            change = partial(self._learn, seen, declared.get(resource))
            schema = by_resource.get(resource)
            # Most pages hold nothing new: nothing is locked for those.
            if schema is None or change(schema) != schema:
                self._schemas.save(log.environment_id, log.integration_name, resource, change)

    def _learn(self, seen: SeenValues, declared: object, schema: ResourceSchema) -> ResourceSchema:
        now = self._clock.now()
        schema = declare(schema, read_types(declared), now)
        return learning.learn(schema, seen.types, now, unread=seen.unread)

    def _update_views(self) -> None:
        now = self._share.monotonic()
        self._busy_views = {id: until for id, until in self._busy_views.items() if now < until}
        skipped = [*self._view_rows.list_skipped(), *self._busy_views]
        for id in self._views.list_outdated(skipped=skipped, limit=_VIEWS_AT_ONCE):
            if self._view_rows.handle(id, partial(self._views.update, id)) is False:
                self._busy_views[id] = now + _BUSY_SECONDS
