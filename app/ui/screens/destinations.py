"""Destinations: how far behind each is, and the columns of what they write."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import flask

from app.api.resources.services import environment, services
from app.api.resources.views import path_id
from app.api.schemas.destinations import CursorQuery, DestinationQuery
from app.api.schemas.resource_schemas import ResourceSchemaQuery
from app.engine.errors import Failure, InvalidInputError, NotFoundError
from app.engine.objects.destinations import Datastore, DestinationCursor, QuarantinedRecord
from app.engine.objects.environments import Role
from app.engine.objects.lists import Page
from app.engine.schemas.stored import StoredSchema
from app.services.destinations.destinations import ShownDestination
from app.services.destinations.verifying import Verification
from app.ui import names, rendering
from app.ui.listing import CURSOR, PAGE, Listing, read_listing, read_query
from app.ui.screen import Done, Screens

destinations = Screens("destinations", title="Destinations", key="d", home="list_destinations")

_MOST_DIGITS: Final = 18
_MOST_QUARANTINED: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationsPage:
    """A page of destinations."""

    found: Page[ShownDestination]
    listing: Listing
    datastores: Mapping[str, Datastore]


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationPage:
    """A destination with how far some accounts are."""

    shown: ShownDestination
    datastore: Datastore | None
    cursors: Page[DestinationCursor]
    tenants: Mapping[str, str]
    """Whose the accounts are, by their ids."""
    cursor: str | None
    quarantined: Page[QuarantinedRecord]
    """The first of the records that were left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedPage:
    """A destination, compared with the records that there are."""

    shown: ShownDestination
    verification: Verification


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemasPage:
    """A page of schemas."""

    found: Page[StoredSchema]
    listing: Listing


@destinations.page("/destinations", "destinations/list.html")
def list_destinations() -> DestinationsPage:
    """List destinations, the newest first."""
    listing = read_listing(DestinationQuery)
    page = services().landing.destinations.list(environment(), listing.filters)
    found = {one.destination.datastore_id: _find_datastore(one.destination.datastore_id) for one in page.result}
    stores = {id: store for id, store in found.items() if store is not None}
    return DestinationsPage(found=page, listing=listing, datastores=stores)


@destinations.page("/destinations/<id>", "destinations/destination.html")
def show_destination(id: str) -> DestinationPage:
    """Show a destination."""
    shown, cursor = _find(id), read_query(CursorQuery).get(CURSOR)
    listed, own = services().landing.destinations, shown.destination.id
    found = listed.list_cursors(environment(), own, cursor=cursor, limit=PAGE)
    return DestinationPage(
        shown=shown,
        datastore=_find_datastore(shown.destination.datastore_id),
        cursors=found,
        tenants=names.name_accounts(one.integrated_account_id for one in found.result),
        cursor=cursor,
        quarantined=listed.list_quarantined(environment(), own, cursor=None, limit=_MOST_QUARANTINED),
    )


@destinations.fragment("/destinations/<id>/progress", "destinations/progress.html")
def show_progress(id: str) -> ShownDestination:
    """Show how far a destination is by now."""
    return _find(id)


@destinations.action("/destinations/<id>/pause", needs=Role.ADMIN)
def pause_destination(id: str) -> Done:
    """Have nothing more written."""
    services().landing.destinations.pause(environment(), path_id("destination", id))
    return Done(address=_address(id), notice="It is paused: the log waits in Postgres.")


@destinations.action("/destinations/<id>/resume", needs=Role.ADMIN)
def resume_destination(id: str) -> Done:
    """Go on, and try at once what failed."""
    services().landing.destinations.resume(environment(), path_id("destination", id))
    return Done(address=_address(id), notice="It goes on where it was paused, and tries at once what failed.")


@destinations.action("/destinations/<id>/backfill", needs=Role.ADMIN)
def backfill_destination(id: str) -> Done:
    """Write everything from a number of each log on again, or from the first record that was left out."""
    text = flask.request.form.get("from_sequence", "0").strip() or "0"
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise InvalidInputError([Failure("from_sequence", "expected a number of the log, or 0 for everything")])
    quarantined = flask.request.form.get("quarantined") == "1"
    backfill = services().landing.destinations.backfill
    backfill(environment(), path_id("destination", id), from_sequence=int(text), quarantined=quarantined)
    return Done(address=_address(id), notice="It is filled anew, without asking an upstream.")


@destinations.action("/destinations/<id>/verify", needs=Role.ADMIN)
def verify_destination(id: str) -> flask.Response:
    """Compare what the target holds with the records that there are."""
    shown = _find(id)
    found = services().landing.verification.verify(environment(), shown.destination.id)
    return rendering.show("destinations/verified.html", page=VerifiedPage(shown=shown, verification=found))


@destinations.page("/schemas", "destinations/schemas.html")
def list_schemas() -> SchemasPage:
    """List the schemas of resources."""
    listing = read_listing(ResourceSchemaQuery)
    return SchemasPage(found=services().landing.schemas.list(environment(), listing.filters), listing=listing)


@destinations.page("/schemas/<id>", "destinations/schema.html")
def show_schema(id: str) -> StoredSchema:
    """Show the columns of a resource's records."""
    return services().landing.schemas.get(environment(), path_id("schema", id))


def _find(id: str) -> ShownDestination:
    return services().landing.destinations.get(environment(), path_id("destination", id))


def _find_datastore(id: str) -> Datastore | None:
    try:
        return services().landing.datastores.get(environment(), id)
    except NotFoundError:
        return None


def _address(id: str) -> str:
    return flask.url_for(".show_destination", id=id)
