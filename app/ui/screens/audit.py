"""Audit: who changed what."""

from dataclasses import dataclass
from typing import Final

from app.actors import ActorKind
from app.api.resources.services import environment, services
from app.api.resources.views import path_id
from app.api.schemas.observed import AuditQuery
from app.engine.objects.audit import AuditEntry, FieldChange, list_field_changes
from app.engine.objects.lists import Page
from app.ui.listing import Listing, read_listing
from app.ui.screen import Screens

audit = Screens("audit", title="Audit", key="u", home="list_entries")

TYPES: Final = (
    *("api_token", "bulk_action", "datastore", "delivery", "destination", "environment", "environment_integration"),
    *("environment_unified_model", "erasure", "integrated_account", "integration", "notification_destination"),
    *("notification_rule", "resource_schema", "sync_job"),
    *("sync_job_cron_trigger", "sync_job_run", "sync_job_run_state", "sync_job_template", "tenant", "unified_model"),
    *("unified_model_method", "webhook"),
)
"""Of objects that entries are about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownEntry:
    """An entry with its changes, value by value."""

    entry: AuditEntry
    changes: list[FieldChange]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    """A page of the audit log."""

    found: Page[ShownEntry]
    listing: Listing
    types: tuple[str, ...] = TYPES
    kinds: tuple[ActorKind, ...] = tuple(ActorKind)


@audit.page("/audit", "audit/list.html")
def list_entries() -> AuditPage:
    """List changes, the newest first."""
    listing = read_listing(AuditQuery, times=("created_at",))
    page = services().reading.audit.list(environment(), listing.filters)
    shown = Page(result=[_show(one) for one in page.result], next_cursor=page.next_cursor, limit=page.limit)
    return AuditPage(found=shown, listing=listing)


@audit.page("/audit/<id>", "audit/entry.html")
def show_entry(id: str) -> ShownEntry:
    """Show a change."""
    return _show(services().reading.audit.get(environment(), path_id("audit entry", id)))


def _show(entry: AuditEntry) -> ShownEntry:
    return ShownEntry(entry=entry, changes=list_field_changes(entry))
