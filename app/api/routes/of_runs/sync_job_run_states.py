"""``/sync-job-run-state``; the id in a path is the state's key."""

from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import quote, urlencode

import flask

from app.api.documents.operations import document_answers
from app.api.parsing.parsing import Body
from app.api.parsing.preconditions import if_match
from app.api.resources.resource import Resource
from app.api.resources.services import environment, services
from app.api.resources.views import Answer, location, read_filters, show_page, show_plain
from app.api.schemas.fields import Deleted, page_of
from app.api.schemas.of_runs.run_states import NewState, State, StateListQuery, StatePatch, StateQuery
from app.engine.errors import NotFoundError
from app.engine.json_types import JsonObject
from app.engine.objects.environments import Role


def _place(id: str) -> Mapping[str, str]:
    """Return the columns that find a state by its key; none for a text that Postgres can not store."""
    place = {"state_key": flask.request.args.get("state_key", ""), "key": id}
    return {} if any("\0" in value for value in place.values()) else place


sync_job_run_states = Resource(
    "sync-job-run-state", description="What is kept from one run to the next", changes=Role.RUN, place=_place
)


@sync_job_run_states.serves("POST", body=NewState, answer=State, status=201, documented=document_answers(like=State))
def put_state(body: Body) -> Answer:
    """Store a value; one with the same key is replaced and answered 200."""
    state, is_new = services().states.put(environment(), body.fields, body.faults)
    place = f"/sync-job-run-state/{quote(state.key, safe='')}?{urlencode({'state_key': state.state_key})}"
    return show_plain(state), HTTPStatus.CREATED if is_new else HTTPStatus.OK, location(place)


@sync_job_run_states.serves("GET", query=StateListQuery, answer=page_of(State))
def list_states(query: JsonObject) -> Answer:
    """List the values of a state key, newest first."""
    return show_page(services().states.list(environment(), read_filters(query)), show_plain)


@sync_job_run_states.serves("GET", "/<path:id>", query=StateQuery, answer=State)
def get_state(query: JsonObject, id: str) -> Answer:
    """Show a value."""
    return show_plain(services().states.get(environment(), query["state_key"], _check_key(id)))


@sync_job_run_states.serves("PATCH", "/<path:id>", body=StatePatch, query=StateQuery, answer=State)
def update_state(query: JsonObject, body: Body, id: str) -> Answer:
    """Replace an existing value."""
    found = services().states.update(
        environment(), query["state_key"], _check_key(id), body.require_valid(), seen=if_match()
    )
    return show_plain(found)


@sync_job_run_states.serves("DELETE", "/<path:id>", query=StateQuery, answer=Deleted)
def delete_state(query: JsonObject, id: str) -> Answer:
    """Remove a value."""
    return {"id": services().states.delete(environment(), query["state_key"], _check_key(id), seen=if_match())}


def _check_key(id: str) -> str:
    if "\0" in id:
        raise NotFoundError("sync job run state", id.replace("\0", ""))
    return id
