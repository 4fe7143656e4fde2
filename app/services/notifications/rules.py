"""Notification rules as the API's callers see them."""

from collections.abc import Callable, Sequence

from app.engine.errors import Failure
from app.engine.ids import new_id
from app.engine.json_types import JsonObject
from app.engine.notifications.events import check_rule
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.notifications import NotificationRule
from app.services.crud import CrudService, Store, missing_reference, raise_for_failures

_FIELDS = (
    *("notification_destination_id", "event", "label", "sync_job_id", "integrated_account_id", "config", "is_active"),
)
_FIXED = ("notification_destination_id", "event", "sync_job_id", "integrated_account_id")


class NotificationRuleService(CrudService[NotificationRule]):
    """The rules of an environment."""

    KIND = "notification rule"

    def __init__(
        self,
        rules: Store[NotificationRule],
        finders: Sequence[tuple[str, str, Callable[[EnvironmentId, str], object | None]]],
    ) -> None:
        """``finders``: the fields that name other objects, each with what those are and how one is found."""
        super().__init__(rules)
        self._finders = finders

    def create(
        self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure] = ()
    ) -> NotificationRule:
        """Create a rule; raise InvalidInputError with every fault."""
        failures = [*faults, *check_rule(fields.get("event"), fields.get("config", {}), fields)]
        failures += [
            missing_reference(name, kind, fields[name])
            for name, kind, find in self._finders
            if fields.get(name) is not None and find(environment_id, fields[name]) is None
        ]
        raise_for_failures(failures)
        values = {name: fields[name] for name in _FIELDS if name in fields}
        return self._store.create(environment_id, new_id(), values)

    def _check_changes(
        self, environment_id: EnvironmentId, current: NotificationRule, changes: JsonObject, faults: Sequence[Failure]
    ) -> JsonObject:
        failures = [
            Failure(name, "can not be changed: create another rule")
            for name in _FIXED
            if changes.get(name, getattr(current, name)) != getattr(current, name)
        ]
        if "config" in changes:
            failures += check_rule(current.event, changes["config"], {})
        raise_for_failures([*faults, *failures])
        return {name: changes[name] for name in ("label", "config", "is_active") if name in changes}
