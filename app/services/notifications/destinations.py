"""Notification destinations as the API's callers see them: configs are checked whole, and shown without secrets."""

from collections.abc import Callable, Sequence

from app.engine.errors import Failure
from app.engine.ids import new_id
from app.engine.json_types import JSON, JsonObject
from app.engine.json_values import merge
from app.engine.notifications.destination_config import check_config
from app.engine.notifications.events import check_event_types
from app.engine.notifications.messages import compose_test
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import RowVersion
from app.engine.objects.notifications import Notification, NotificationDestination, NotificationType
from app.engine.webhooks import signatures
from app.services.crud import CrudService, Store, raise_for_failures, require
from app.services.ports import Clock

_FIELDS = ("type", "label", "event_types", "is_active")


class NotificationDestinationService(CrudService[NotificationDestination]):
    """The notification destinations of an environment."""

    KIND = "notification destination"

    def __init__(
        self,
        destinations: Store[NotificationDestination],
        inspect: Callable[[EnvironmentId, str], NotificationDestination | None],
        send: Callable[[NotificationDestination, Notification], JsonObject],
        *,
        has_mail_server: bool,
        clock: Clock,
    ) -> None:
        """``inspect`` reads one whose config need not decrypt; ``send`` returns what was answered, or raises."""
        super().__init__(destinations)
        self._inspect = inspect
        self._send = send
        self._has_mail_server = has_mail_server
        self._clock = clock

    def create(
        self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure] = ()
    ) -> NotificationDestination:
        """Create one; a webhook without a secret gets a fresh one. Raise InvalidInputError with every fault."""
        kind, config = _read_type(fields.get("type")), fields.get("config", {})
        failures = [*faults, *check_event_types(fields.get("event_types"))]
        if isinstance(kind, Failure):
            failures.append(kind)
        else:
            failures += check_config(kind, config, has_mail_server=self._has_mail_server)
        raise_for_failures(failures)
        if kind is NotificationType.WEBHOOK:
            config = {"secret": signatures.make_secret(), **config}
        values: JsonObject = {name: fields[name] for name in _FIELDS if name in fields}
        return self._store.create(environment_id, new_id(), {**values, "config": config})

    def update(
        self,
        environment_id: EnvironmentId,
        id: str,
        changes: JsonObject,
        faults: Sequence[Failure] = (),
        *,
        seen: RowVersion | None = None,
    ) -> NotificationDestination:
        """Change some fields; the config is merged key by key and checked as a whole."""
        current = self.get(environment_id, id)
        failures = [*faults, *check_event_types(changes.get("event_types"))]
        if changes.get("type", current.type) != current.type:
            failures.append(Failure("type", "can not be changed: create another notification destination"))
        values: JsonObject = {name: changes[name] for name in _FIELDS if name in changes and name != "type"}
        if "config" in changes:
            values["config"] = merge(current.config, changes["config"])
            failures += check_config(current.type, values["config"], has_mail_server=self._has_mail_server)
        raise_for_failures(failures)
        return require(self._store.update(environment_id, id, values, seen=seen), self.KIND, id)

    def test(self, environment_id: EnvironmentId, id: str) -> JsonObject:
        """Send a test message now; return what was answered. Raises DeliveryError when it was refused."""
        destination = require(self._store.get(environment_id, id), self.KIND, id)
        message = Notification(
            id=new_id(),
            environment_id=environment_id,
            notification_destination_id=destination.id,
            message=compose_test(),
            attempts=1,
            created_at=self._clock.now(),
        )
        return self._send(destination, message)

    def _read(self, environment_id: EnvironmentId, id: str) -> NotificationDestination | None:
        return self._inspect(environment_id, id)


def _read_type(given: JSON) -> NotificationType | Failure:
    if not isinstance(given, str) or given not in list(NotificationType):
        return Failure("type", f"expected one of: {', '.join(NotificationType)}")
    return NotificationType(given)
