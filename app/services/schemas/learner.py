"""The duty that learns columns from what was written, account by account, and has views show them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, NamedTuple

from app.engine.json_types import JSON
from app.engine.objects.environments import EnvironmentId
from app.engine.schemas import learning
from app.engine.schemas.columns import ResourceSchema
from app.engine.schemas.declaring import declare, read_types
from app.services.maintenance.duties import Duty
from app.services.maintenance.duty_rows import TURN_SECONDS, DutyRows
from app.services.ports import Clock, SchemaStore
from app.services.schemas.ports import ListOutdated, SeenValues, UnlearnedLog, WrittenValues
from app.services.schemas.shares import Share

_LOGS_AT_ONCE: Final = 20
_VIEWS_AT_ONCE: Final = 20
_EVERY_SECONDS: Final = 1.0
_BUSY_SECONDS: Final = 5.0


class _Known(NamedTuple):
    """What is known of an integration's records."""

    schemas: Sequence[ResourceSchema]
    declared: Mapping[str, JSON]


class SchemaLearner:
    """The duty that learns. It may die anywhere: what is learned again changes nothing."""

    def __init__(
        self,
        *,
        values: WrittenValues,
        schemas: SchemaStore,
        list_outdated_views: ListOutdated,
        update_view: Callable[[str], bool],
        share: Share,
        clock: Clock,
    ) -> None:
        """``update_view`` has a schema's view show all columns, or records why it can not; False: others are at it."""
        self._values = values
        self._schemas = schemas
        self._list_outdated_views = list_outdated_views
        self._update_view = update_view
        self._share = share
        self._clock = clock
        self._rows = DutyRows("learning schemas", monotonic=share.monotonic)
        self._view_rows = DutyRows("updating views", monotonic=share.monotonic)
        self._busy_views: dict[str, float] = {}
        """Until when views are left alone that others were at work on."""
        self._known: dict[tuple[EnvironmentId, str], _Known] = {}
        """By environment and integration, what was read in this turn."""
        self._heads: Mapping[str, int] = {}
        """By account, how far its log was at the last look."""

    def build_duties(self) -> Sequence[Duty]:
        """Return the duty."""
        return [Duty(name="learning schemas", do=self.run_turn, every_seconds=_EVERY_SECONDS)]

    def run_turn(self) -> bool:
        """Learn for a while; return whether there is more to do at once."""
        logs = self._values.list_unlearned(skipped=self._rows.list_skipped(), limit=_LOGS_AT_ONCE)
        self._note_heads(logs)
        self._known.clear()
        self._update_views()
        until = self._share.monotonic() + TURN_SECONDS
        left = list(logs)
        while left and self._share.monotonic() < until:
            log = left.pop(0)
            following = self._rows.handle(log.account_id, partial(self._share.take, partial(self._learn_some, log)))
            left += [following] if following is not None else []
        return bool(left)

    def _note_heads(self, logs: Sequence[UnlearnedLog]) -> None:
        """Take a smaller share while logs go on: somebody writes records, and is not to be slowed."""
        heads = {log.account_id: log.last_sequence for log in logs}
        self._share.is_small = any(heads[id] != self._heads.get(id) for id in heads)
        self._heads = heads

    def _learn_some(self, log: UnlearnedLog) -> UnlearnedLog | None:
        """Learn from the next records of a log; return it as it is then, or None at its end."""
        known = self._read_known(log)
        stretch = self._share.read(
            lambda limit: self._values.read(log, known.schemas, limit=limit), count=lambda found: found.rows
        )
        if self._save(log, known, stretch.resources):
            del self._known[log.environment_id, log.integration_name]
            self._update_views()
        self._values.move_on(log.account_id, stretch.through)
        if stretch.is_last:
            return None
        return replace(log, learned_through=stretch.through)

    def _read_known(self, log: UnlearnedLog) -> "_Known":
        place = (log.environment_id, log.integration_name)
        if place not in self._known:
            self._known[place] = _Known(
                self._schemas.list(log.environment_id, integration_name=log.integration_name),
                self._schemas.list_declared(*place),
            )
        return self._known[place]

    def _save(self, log: UnlearnedLog, known: "_Known", resources: Mapping[str, SeenValues]) -> bool:
        """Save what is new; return whether anything is: nothing is locked for most stretches."""
        by_resource = {schema.resource: schema for schema in known.schemas}
        has_saved = False
        for resource, seen in resources.items():
            change = partial(self._learn, seen, known.declared.get(resource))
            schema = by_resource.get(resource)
            if schema is None or change(schema) != schema:
                self._schemas.save(log.environment_id, log.integration_name, resource, change)
                has_saved = True
        return has_saved

    def _learn(self, seen: SeenValues, declared: object, schema: ResourceSchema) -> ResourceSchema:
        now = self._clock.now()
        schema = declare(schema, read_types(declared), now)
        return learning.learn(schema, seen.types, now, unread=seen.unread)

    def _update_views(self) -> None:
        now = self._share.monotonic()
        self._busy_views = {id: until for id, until in self._busy_views.items() if now < until}
        skipped = [*self._view_rows.list_skipped(), *self._busy_views]
        for id in self._list_outdated_views(skipped=skipped, limit=_VIEWS_AT_ONCE):
            if self._view_rows.handle(id, partial(self._update_view, id)) is False:
                self._busy_views[id] = now + _BUSY_SECONDS
