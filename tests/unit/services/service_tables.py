"""Tables of API objects in memory, and the objects that tests put there."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Generic, TypeAlias, TypeVar

from app.engine.errors import PreconditionFailedError
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.integrations import Integration
from app.engine.objects.jobs import SyncJob
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.engine.objects.runs import SyncJobRun
from app.engine.objects.unified import EnvironmentUnifiedModel, UnifiedModel, UnifiedModelMethod
from app.engine.objects.webhooks import Webhook
from app.engine.paths import Path
from app.engine.status import RunStatus
from app.engine.unified.model import UnifiedName
from app.services.runs.requests import RunReferences
from app.services.unified.mappings import MappingLayers, UnifiedMappings

Owned: TypeAlias = (
    IntegratedAccount | Integration | SyncJob | Webhook | UnifiedModel | EnvironmentUnifiedModel | UnifiedModelMethod
)
T = TypeVar("T", bound=Owned)

ENVIRONMENT = EnvironmentId("environment")
ELSEWHERE = EnvironmentId("elsewhere")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CONFIG: JsonObject = {"base_url": "https://up.test", "non_secret": ["context.subdomain", "context.site"]}


class FakeTable(Generic[T]):
    """Objects of one kind by id; each environment sees its own only."""

    def __init__(self, make: Callable[..., T], *rows: T) -> None:
        self.rows = {row.id: row for row in rows}
        self.erase_after: dict[str, float] = {}
        """After how many seconds what was deleted is to be erased, by its id."""
        self.before_update: Callable[[], object] = lambda: None
        self._make = make

    def create(self, environment_id: EnvironmentId, id: str, values: Mapping[str, JSON], **more: Any) -> T:
        self.rows[id] = self._make(id=id, environment_id=environment_id, **values, **more)
        return self.rows[id]

    def get(self, environment_id: EnvironmentId, id: str) -> T | None:
        row = self.rows.get(id)
        return row if row and row.environment_id == environment_id else None

    def inspect(self, environment_id: EnvironmentId, id: str) -> T | None:
        return self.get(environment_id, id)

    def find_by_name(self, environment_id: EnvironmentId, name: str) -> T | None:
        named = [row for row in self.rows.values() if getattr(row, "name", None) == name]
        return next((row for row in named if row.environment_id == environment_id), None)

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[T]:
        rows = [row for row in self.rows.values() if row.environment_id == environment_id]
        return Page(result=rows[: filters.limit], next_cursor=None, limit=filters.limit)

    def update(
        self,
        environment_id: EnvironmentId,
        id: str,
        values: Mapping[str, JSON],
        *,
        version: int | None = None,
        change_context: Callable[[JsonObject], JsonObject] | None = None,
        change_origins: Callable[[T], Collection[str] | None] | None = None,
        change_plain: Callable[[frozenset[Path] | None], frozenset[Path]] | None = None,
        seen: RowVersion | None = None,
    ) -> T | None:
        self.before_update()
        row: Any = self._as_seen(environment_id, id, seen)
        if row is None or (version is not None and version != row.version):
            return None
        more: JsonObject = {"context": change_context(row.context)} if change_context else {}
        more |= {"origins": change_origins(row)} if change_origins else {}
        more |= {"plain_paths": change_plain(row.plain_paths)} if change_plain else {}
        more |= {"version": version + 1} if version else {}
        self.rows[id] = replace(row, **values, **more)
        return self.rows[id]

    def record_origins(self, id: str, origins: frozenset[str]) -> None:
        row: Any = self.rows[id]
        self.rows[id] = replace(row, origins=origins)

    def delete(
        self,
        environment_id: EnvironmentId,
        id: str,
        *,
        seen: RowVersion | None = None,
        erase_after_seconds: float | None = None,
    ) -> bool:
        if erase_after_seconds is not None:
            self.erase_after[id] = erase_after_seconds
        return self._as_seen(environment_id, id, seen) is not None and self.rows.pop(id) is not None

    def version(self, id: str) -> RowVersion:
        return RowVersion(repr(self.rows.get(id)))

    def _as_seen(self, environment_id: EnvironmentId, id: str, seen: RowVersion | None) -> T | None:
        if seen not in (None, self.version(id)):
            raise PreconditionFailedError
        return self.get(environment_id, id)

    def delete_all(
        self, environment_id: EnvironmentId, ids: Sequence[str], *, erase_after_seconds: float
    ) -> Sequence[str]:
        if missing := [id for id in ids if self.get(environment_id, id) is None]:
            return missing
        self.erase_after |= dict.fromkeys(ids, erase_after_seconds)
        self.rows = {id: row for id, row in self.rows.items() if id not in ids}
        return []


@dataclass(frozen=True, slots=True)
class FakeReferences:
    """What requests for runs refer to, in two tables."""

    jobs: FakeTable[SyncJob]
    accounts: FakeTable[IntegratedAccount]
    job_version: str = "1"

    def read(self, environment_id: EnvironmentId, *, job_id: str | None, account_id: str | None) -> RunReferences:
        return RunReferences(
            job=self.jobs.get(environment_id, job_id or ""),
            job_version=self.job_version,
            account=self.accounts.get(environment_id, account_id or ""),
        )


def integration(**fields: Any) -> Integration:
    defaults = {"id": "integration", "name": "helpdesk", "config": CONFIG}
    return Integration(**_stored(defaults, fields))


def account(**fields: Any) -> IntegratedAccount:
    defaults = {
        "id": "account",
        "integration_id": "integration",
        "integration_name": "helpdesk",
        "tenant_id": "tenant",
        "authentication_method": "api_key",
        "context": {"subdomain": "acme"},
    }
    return IntegratedAccount(**_stored(defaults, fields))


def sync_job(**fields: Any) -> SyncJob:
    resources = [{"resource": "tickets", "method": "list", "persist": True}]
    defaults = {"id": "job", "integration_name": "helpdesk", "args_schema": {}, "resources": resources}
    return SyncJob(**_stored(defaults, fields))


def webhook(**fields: Any) -> Webhook:
    defaults = {"id": "webhook", "target_url": "https://receiver.test", "secret": "whsec_x"}
    return Webhook(**_stored(defaults, fields))


def run(**fields: Any) -> SyncJobRun:
    defaults = {
        "id": "run",
        "sync_job_id": "job",
        "integrated_account_id": "account",
        "status": RunStatus.RUNNING,
        "args": {},
        "resources": [{"resource": "tickets", "method": "list", "persist": True}],
        "sync_job": {},
        "daemon_group_key": None if fields.get("webhook_id") else "blue",
    }
    return SyncJobRun(**_stored(defaults, fields))


def _stored(defaults: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    return {"environment_id": ENVIRONMENT, "created_at": NOON, "updated_at": NOON, **defaults, **fields}


def unified_model(**fields: Any) -> UnifiedModel:
    defaults = {"id": "model", "name": "crm", "resources": {"contacts": {}, "notes": {"methods": [{"name": "list"}]}}}
    return UnifiedModel(**_stored(defaults, fields))


def installed_model(**fields: Any) -> EnvironmentUnifiedModel:
    return EnvironmentUnifiedModel(**_stored({"id": "installed", "unified_model_id": "model", "override": {}}, fields))


def model_method(**fields: Any) -> UnifiedModelMethod:
    place = {"resource_name": "contacts", "integration_name": "helpdesk", "method_name": "list"}
    return UnifiedModelMethod(**_stored({"id": "method", "unified_model_id": "model", **place, "config": {}}, fields))


class FakeMappings:
    """Unified models and mappings: ``{"model/resource": {method: MappingLayers}}``."""

    def __init__(self, layers: Mapping[str, Mapping[str, MappingLayers]] | None = None) -> None:
        self.configured = layers or {}

    def read_layers(
        self, environment_id: EnvironmentId, name: UnifiedName, *, method: str, integration_name: str
    ) -> MappingLayers | None:
        methods = self.configured.get("/".join(name), {})
        known = [key for key in self.configured if key.startswith(f"{name.model}/")]
        resources: JsonObject = {key.partition("/")[2]: {} for key in known}
        nothing = MappingLayers(resources=resources, base=None, environment=None)
        return methods.get(method, nothing) if known else None


def unified(layers: Mapping[str, Mapping[str, MappingLayers]] | None = None) -> UnifiedMappings:
    return UnifiedMappings(FakeMappings(layers).read_layers)
