"""Whoever names what was seen changes and removes that alone."""

from types import SimpleNamespace
from typing import Any

import pytest

from app.engine.errors import PreconditionFailedError
from app.engine.json_types import JsonObject
from app.engine.objects.lists import RowVersion
from app.services.accounts.accounts import AccountService
from app.services.accounts.deletion import AccountDeletion
from app.services.catalog.integrations import IntegrationService
from app.services.catalog.jobs import JobService
from app.services.unified.methods import MappingService
from app.services.unified.models import InstalledModelService, UnifiedModelService
from app.services.webhooks.webhooks import WebhookService
from tests.unit.services.service_tables import (
    ENVIRONMENT,
    FakeTable,
    account,
    installed_model,
    integration,
    model_method,
    sync_job,
    unified,
    unified_model,
    webhook,
)

INTEGRATIONS: Any = FakeTable(integration, integration())
MODELS: Any = FakeTable(unified_model, unified_model())


def job_service(table: Any) -> JobService:
    return JobService(table, INTEGRATIONS.find_by_name, unified())


def webhook_service(table: Any) -> WebhookService:
    return WebhookService(table, send_test=None, wake=print)  # type: ignore[arg-type]


def account_service(table: Any) -> Any:
    """Return what changes accounts, and what removes them."""
    changing = AccountService(table, INTEGRATIONS.find_by_name, INTEGRATIONS, installed=None)  # type: ignore[arg-type]
    removing = AccountDeletion(table, restore=lambda *_: None, hasten=lambda *_: False, erase_after_seconds=0.0)
    return SimpleNamespace(update=changing.update, delete=removing.delete)


def integration_service(table: Any) -> IntegrationService:
    return IntegrationService(table, table.inspect, table.find_by_name)


def installed_service(table: Any) -> InstalledModelService:
    return InstalledModelService(table, MODELS, put=print)


def mapping_service(table: Any) -> MappingService:
    return MappingService(table, MODELS, INTEGRATIONS.find_by_name)


@pytest.mark.parametrize(
    ("make", "service", "changes"),
    [
        (sync_job, job_service, {"label": "x"}),
        (webhook, webhook_service, {"is_active": False}),
        (account, account_service, {"tenant_id": "x"}),
        (integration, integration_service, {"category": "x"}),
        (unified_model, UnifiedModelService, {"category": "x"}),
        (installed_model, installed_service, {"override": {"x": 1}}),
        (model_method, mapping_service, {"config": {"query": {"x": "y"}}}),
    ],
    ids=["job", "webhook", "account", "integration", "model", "installed-model", "mapping"],
)
def test_thing_is_changed_and_removed_only_as_it_was_seen(make: Any, service: Any, changes: JsonObject) -> None:
    row = make()
    table: Any = FakeTable(make, row)
    seen, served = table.version(row.id), service(table)

    with pytest.raises(PreconditionFailedError):
        served.update(ENVIRONMENT, row.id, changes, seen=RowVersion("other"))
    served.update(ENVIRONMENT, row.id, changes, seen=seen)
    with pytest.raises(PreconditionFailedError):
        served.delete(ENVIRONMENT, row.id, seen=seen)

    assert table.rows[row.id] != row
    assert served.delete(ENVIRONMENT, row.id, seen=table.version(row.id)) == row.id
    assert table.rows == {}
