"""``/datastore`` and ``/destination``: where records land, and how far."""

from dataclasses import asdict
from http import HTTPStatus

from app.api.documents.operations import document_answers
from app.api.parsing.parsing import Body
from app.api.parsing.preconditions import if_match
from app.api.resources.resource import Resource
from app.api.resources.services import environment, services
from app.api.resources.views import Answer, answer_created, read_filters, show_page, show_plain
from app.api.schemas import destinations as schemas
from app.api.schemas.fields import Deleted, page_of
from app.engine.destinations.datastore_config import list_secrets, show_config
from app.engine.json_types import JsonObject
from app.engine.objects.destinations import Datastore, DestinationCursor
from app.engine.objects.environments import Role
from app.services.destinations.destinations import ShownDestination

datastores = Resource("datastore", description="Where records land", changes=Role.ADMIN)
destinations = Resource("destination", description="Which records land there, and how far", changes=Role.ADMIN)


@datastores.serves("POST", body=schemas.NewDatastore, answer=schemas.Datastore, status=201)
def create_datastore(body: Body) -> Answer:
    """Create a datastore; what is secret in its config is never shown again."""
    return answer_created(
        _show_datastore(services().landing.datastores.create(environment(), body.fields, body.faults))
    )


@datastores.serves("GET", query=schemas.DatastoreQuery, answer=page_of(schemas.Datastore))
def list_datastores(query: JsonObject) -> Answer:
    """List datastores, newest first."""
    return show_page(services().landing.datastores.list(environment(), read_filters(query)), _show_datastore)


@datastores.serves("GET", "/<id>", answer=schemas.Datastore)
def get_datastore(id: str) -> Answer:
    """Show a datastore without its secrets."""
    return _show_datastore(services().landing.datastores.get(environment(), id))


@datastores.serves("PATCH", "/<id>", body=schemas.DatastorePatch, answer=schemas.Datastore)
def update_datastore(body: Body, id: str) -> Answer:
    """Change a datastore; its config is merged key by key, and checked as a whole."""
    changed = services().landing.datastores.update(environment(), id, body.fields, body.faults, seen=if_match())
    return _show_datastore(changed)


@datastores.serves("DELETE", "/<id>", answer=Deleted)
def delete_datastore(id: str) -> Answer:
    """Remove a datastore that no destination writes to; what was written there stays."""
    return {"id": services().landing.datastores.delete(environment(), id, seen=if_match())}


@datastores.serves(
    "POST", "/<id>/test", answer=schemas.DatastoreTest, documented=document_answers(HTTPStatus.BAD_GATEWAY)
)
def test_datastore(id: str) -> Answer:
    """Connect to a datastore, write something and remove it."""
    return _show_facts(services().landing.datastores.test(environment(), id))


@datastores.serves(
    "POST", "/<id>/test/<method>", answer=schemas.DatastoreTest, documented=document_answers(HTTPStatus.BAD_GATEWAY)
)
def test_datastore_method(id: str, method: str) -> Answer:
    """Connect to a datastore, and try one method: uploadObject of those that hold files."""
    return _show_facts(services().landing.datastores.test(environment(), id, method))


@destinations.serves("POST", body=schemas.NewDestination, answer=schemas.Destination, status=201)
def create_destination(body: Body) -> Answer:
    """Create a destination; what there is of its records is written at once, without asking an upstream."""
    return answer_created(_show(services().landing.destinations.create(environment(), body.fields, body.faults)))


@destinations.serves("GET", query=schemas.DestinationQuery, answer=page_of(schemas.Destination))
def list_destinations(query: JsonObject) -> Answer:
    """List destinations, newest first."""
    return show_page(services().landing.destinations.list(environment(), read_filters(query)), _show)


@destinations.serves("GET", "/<id>", answer=schemas.Destination)
def get_destination(id: str) -> Answer:
    """Show a destination: its status, how far it lags, what went wrong last."""
    return _show(services().landing.destinations.get(environment(), id))


@destinations.serves("PATCH", "/<id>", body=schemas.DestinationPatch, answer=schemas.Destination)
def update_destination(body: Body, id: str) -> Answer:
    """Change a destination's label, resources, deletes or daemon group."""
    return _show(services().landing.destinations.update(environment(), id, body.fields, body.faults, seen=if_match()))


@destinations.serves("DELETE", "/<id>", answer=Deleted)
def delete_destination(id: str) -> Answer:
    """Remove a destination; what it has written stays where it is."""
    return {"id": services().landing.destinations.delete(environment(), id, seen=if_match())}


@destinations.serves("POST", "/<id>/pause", answer=schemas.Destination)
def pause_destination(id: str) -> Answer:
    """Have nothing more written; the log waits in Postgres."""
    return _show(services().landing.destinations.pause(environment(), id))


@destinations.serves("POST", "/<id>/resume", answer=schemas.Destination)
def resume_destination(id: str) -> Answer:
    """Go on where it was paused, and try at once what failed."""
    return _show(services().landing.destinations.resume(environment(), id))


@destinations.serves("POST", "/<id>/backfill", body=schemas.Backfill, answer=schemas.Destination)
def backfill_destination(body: Body, id: str) -> Answer:
    """Write everything from a number of each log on again, without asking an upstream."""
    asked = body.require_valid()
    from_sequence, quarantined = asked.get("from_sequence", 0), asked.get("quarantined", False)
    backfill = services().landing.destinations.backfill
    return _show(backfill(environment(), id, from_sequence=from_sequence, quarantined=quarantined))


@destinations.serves("POST", "/<id>/rebuild", answer=schemas.Destination)
def rebuild_destination(id: str) -> Answer:
    """Make everything at the target as it is in Postgres, and remove what is surplus, with readers at work."""
    return _show(services().landing.destinations.rebuild(environment(), id))


@destinations.serves(
    "GET", "/<id>/quarantined", query=schemas.QuarantinedQuery, answer=page_of(schemas.QuarantinedRecord)
)
def list_quarantined_records(query: JsonObject, id: str) -> Answer:
    """List the records that were left out, as they do not fit a frozen schema or the target, with the reasons."""
    page = services().landing.destinations.list_quarantined(
        environment(), id, cursor=query.get("next_cursor"), limit=query["limit"]
    )
    return show_page(page, show_plain)


@destinations.serves("GET", "/<id>/cursors", query=schemas.CursorQuery, answer=page_of(schemas.Cursor))
def list_destination_cursors(query: JsonObject, id: str) -> Answer:
    """List how far each account is, in the order of their ids."""
    page = services().landing.destinations.list_cursors(
        environment(), id, cursor=query.get("next_cursor"), limit=query["limit"]
    )
    return show_page(page, _show_cursor)


@destinations.serves(
    "POST", "/<id>/verify", answer=schemas.Verified, documented=document_answers(HTTPStatus.BAD_GATEWAY)
)
def verify_destination(id: str) -> Answer:
    """Compare the keys and sequences that the target holds with the records that there are."""
    return asdict(services().landing.verification.verify(environment(), id))


def _show_datastore(datastore: Datastore) -> JsonObject:
    shown = show_plain(datastore)
    config, kind = datastore.config, datastore.type
    return {**shown, "type": str(kind), "config": show_config(kind, config), "secrets": list_secrets(kind, config)}


def _show_facts(facts: JsonObject) -> JsonObject:
    return {"success": True, "data": facts}


def _show(shown: ShownDestination) -> JsonObject:
    return {**show_plain(shown.destination), "progress": asdict(shown.progress), "status": shown.status}


def _show_cursor(cursor: DestinationCursor) -> JsonObject:
    return {**show_plain(cursor), "lag_records": cursor.lag_records}
