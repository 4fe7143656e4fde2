"""Tenants, as the API's callers see them."""

from collections.abc import Callable, Sequence
from typing import Final

from app.engine.errors import Failure, InvalidInputError
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.environments import EnvironmentId, Tenant, is_tenant_id
from app.services.crud import CrudService, Store, raise_for_failures

MOST_AT_ONCE: Final = 1000
_LONGEST_NAME: Final = 1000
_FIELDS: Final = ("id", "name", "metadata")
_ID: Final = "expected 1 to 256 letters, digits and any of . _ : @ + -, and not 'bulk'"


class TenantService(CrudService[Tenant]):
    """The tenants of environments; an account whose tenant does not exist creates it."""

    KIND = "tenant"

    def __init__(
        self,
        tenants: Store[Tenant],
        create_all: Callable[[EnvironmentId, Sequence[JsonObject]], Sequence[Tenant]],
    ) -> None:
        """``create_all`` writes tenants, and returns those that did not exist before."""
        super().__init__(tenants)
        self._create_all = create_all

    def create(self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure] = ()) -> Tenant:
        """Create a tenant; raise InvalidInputError with ``faults`` and every other one, also when it exists already."""
        wrong = {fault.path for fault in faults}
        raise_for_failures([*faults, *([] if "id" in wrong else _id_failures(fields.get("id"), "id"))])
        made = self._create_all(environment_id, [_with_name(fields)])
        if not made:
            raise InvalidInputError([Failure("id", f"a tenant '{fields['id']}' exists already")])
        return made[0]

    def create_all(
        self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure] = ()
    ) -> tuple[Sequence[Tenant], Sequence[str]]:
        """Create tenants; return them, and the ids of those that existed already. Raises InvalidInputError."""
        asked = fields.get("tenants", [])
        failures = [*faults]
        for position, one in enumerate(asked):
            failures += _failures(one, f"tenants.{position}")
        raise_for_failures(failures)
        first = {one["id"]: _with_name(one) for one in reversed(asked)}
        made = self._create_all(environment_id, list(first.values()))
        new = {tenant.id for tenant in made}
        left = [one["id"] for one in asked]
        for id in new:
            left.remove(id)
        return made, left

    def _check_changes(
        self, environment_id: EnvironmentId, current: Tenant, changes: JsonObject, faults: Sequence[Failure]
    ) -> JsonObject:
        """Replace ``metadata`` whole; the id can not be changed."""
        failures = [*faults]
        if changes.get("id", current.id) != current.id:
            failures.append(Failure("id", "can not be changed: make another tenant"))
        raise_for_failures(failures)
        return {name: value for name, value in changes.items() if name != "id"}


def _with_name(fields: JsonObject) -> JsonObject:
    """Return a tenant's fields, with its id for a name where it has none."""
    return {"id": fields["id"], "name": fields.get("name") or fields["id"], "metadata": fields.get("metadata") or {}}


def _failures(one: JSON, path: str) -> list[Failure]:
    if not isinstance(one, dict):
        return [Failure(path, "expected an object")]
    failures = [
        Failure(f"{path}.{name}", f"is not known here: expected {', '.join(_FIELDS)}")
        for name in one.keys() - {*_FIELDS}
    ]
    failures += _id_failures(one.get("id"), f"{path}.id")
    name = one.get("name")
    if name is not None and not (isinstance(name, str) and len(name) <= _LONGEST_NAME):
        failures.append(Failure(f"{path}.name", f"expected a text of {_LONGEST_NAME} characters at most"))
    if not isinstance(one.get("metadata"), dict | None):
        failures.append(Failure(f"{path}.metadata", "expected an object"))
    return failures


def _id_failures(id: JSON, path: str) -> list[Failure]:
    return [] if isinstance(id, str) and is_tenant_id(id) else [Failure(path, _ID)]
