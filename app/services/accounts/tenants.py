"""Tenants, as the API's callers see them."""

from collections.abc import Sequence
from typing import Final, Protocol

from app.engine.errors import Failure, InvalidInputError, NotFoundError
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.environments import EnvironmentId, Tenant, is_tenant_id
from app.engine.objects.lists import ListFilters, Page, RowVersion

MOST_AT_ONCE: Final = 1000
_KIND: Final = "tenant"
_LONGEST_NAME: Final = 1000
_FIELDS: Final = ("id", "name", "metadata")
_ID: Final = "expected 1 to 256 letters, digits and any of . _ : @ + -, and not 'bulk'"


class Tenants(Protocol):
    """Keeps tenants."""

    def create_all(self, environment_id: EnvironmentId, tenants: Sequence[JsonObject]) -> Sequence[Tenant]:
        """Write tenants, and return those that were not there before."""

    def get(self, environment_id: EnvironmentId, id: str) -> Tenant | None:
        """Read a tenant."""

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[Tenant]:
        """Read a page of tenants."""

    def update(
        self, environment_id: EnvironmentId, id: str, values: JsonObject, *, seen: RowVersion | None = None
    ) -> Tenant | None:
        """Change a tenant."""

    def delete(self, environment_id: EnvironmentId, id: str, *, seen: RowVersion | None = None) -> bool | None:
        """Remove a tenant that has no accounts; False for one that has some, None where there is none."""


class TenantService:
    """The tenants of an environment; each account makes its own where there is none."""

    def __init__(self, tenants: Tenants) -> None:
        self._tenants = tenants

    def create(self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure] = ()) -> Tenant:
        """Make a tenant; raise InvalidInputError with ``faults`` and every other one, of one that is there too."""
        wrong = {fault.path for fault in faults}
        failures = [*faults, *([] if "id" in wrong else _id_failures(fields.get("id"), "id"))]
        if failures:
            raise InvalidInputError(failures)
        made = self._tenants.create_all(environment_id, [_named(fields)])
        if not made:
            raise InvalidInputError([Failure("id", f"a tenant '{fields['id']}' exists already")])
        return made[0]

    def create_all(
        self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure] = ()
    ) -> tuple[Sequence[Tenant], Sequence[str]]:
        """Make tenants; return them, and the ids of those that were there before. Raises InvalidInputError."""
        asked = fields.get("tenants", [])
        failures = [*faults]
        for position, one in enumerate(asked):
            failures += _failures(one, f"tenants.{position}")
        if failures:
            raise InvalidInputError(failures)
        first = {one["id"]: _named(one) for one in reversed(asked)}
        made = self._tenants.create_all(environment_id, list(first.values()))
        new = {tenant.id for tenant in made}
        left = [one["id"] for one in asked]
        for id in new:
            left.remove(id)
        return made, left

    def get(self, environment_id: EnvironmentId, id: str) -> Tenant:
        """Read a tenant; raise NotFoundError."""
        return _found(self._tenants.get(environment_id, id), id)

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[Tenant]:
        """Read a page of tenants."""
        return self._tenants.list(environment_id, filters)

    def update(
        self,
        environment_id: EnvironmentId,
        id: str,
        changes: JsonObject,
        faults: Sequence[Failure] = (),
        *,
        seen: RowVersion | None = None,
    ) -> Tenant:
        """Change a tenant's name and metadata, which is replaced whole; raise InvalidInputError, NotFoundError."""
        self.get(environment_id, id)
        failures = [*faults]
        if changes.get("id", id) != id:
            failures.append(Failure("id", "can not be changed: make another tenant"))
        if failures:
            raise InvalidInputError(failures)
        values = {name: value for name, value in changes.items() if name != "id"}
        return _found(self._tenants.update(environment_id, id, values, seen=seen), id)

    def delete(self, environment_id: EnvironmentId, id: str, *, seen: RowVersion | None = None) -> str:
        """Remove a tenant; raise NotFoundError, and InvalidInputError for one that has accounts."""
        is_done = self._tenants.delete(environment_id, id, seen=seen)
        if is_done is None:
            raise NotFoundError(_KIND, id)
        if not is_done:
            advice = "delete them first, as POST /integrated-account/bulk-delete does"
            raise InvalidInputError([Failure("id", f"tenant '{id}' has accounts: {advice}")])
        return id


def _named(fields: JsonObject) -> JsonObject:
    """Return a tenant its id for a name where it has none."""
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


def _found(tenant: Tenant | None, id: str) -> Tenant:
    if tenant is None:
        raise NotFoundError(_KIND, id[:300])
    return tenant
