"""Incidents: what is wrong, and what was, as people are notified of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from app.api.resources.services import environment, services
from app.api.resources.views import path_id
from app.api.schemas.notifications.incidents import IncidentQuery
from app.engine.notifications.events import EVENTS
from app.engine.objects.lists import Page
from app.engine.objects.notifications import Incident
from app.ui.listing import Listing, read_listing
from app.ui.screen import Screens

incidents = Screens("incidents", title="Incidents", key="i", home="list_incidents")

_ABOUT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "sync_job_run_id": "run",
        "sync_job_id": "sync_job",
        "webhook_id": "webhook",
        "destination_id": "destination",
        "schema_id": "resource_schema",
    }
)
"""The kinds of things that facts name by their ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentsPage:
    """A page of incidents."""

    found: Page[Incident]
    listing: Listing
    events: Sequence[str] = tuple(EVENTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentPage:
    """An incident."""

    incident: Incident
    title: str
    """What is so."""
    about: Sequence[tuple[str, str]]
    """The kind and the id of each thing that it is about."""


@incidents.page("/incidents", "incidents/list.html")
def list_incidents() -> IncidentsPage:
    """List incidents, the newest first."""
    listing = read_listing(IncidentQuery, times=("created_at", "opened_at", "resolved_at"))
    found = services().notifications.incidents.list(environment(), listing.filters)
    return IncidentsPage(found=found, listing=listing)


@incidents.page("/incidents/<id>", "incidents/incident.html")
def show_incident(id: str) -> IncidentPage:
    """Show an incident."""
    found = services().notifications.incidents.get(environment(), path_id("incident", id))
    facts = [(_ABOUT[name], str(value)) for name, value in found.facts.items() if name in _ABOUT and value]
    account = [("account", found.integrated_account_id)] if found.integrated_account_id else []
    event = EVENTS[found.event]
    return IncidentPage(incident=found, title=f"{event.what.capitalize()}: {event.title}", about=[*facts, *account])
