"""Put a connector into an environment over the HTTP API: what is there is only added to and brought up to date."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast

from app.client import ApiClient
from app.connectors import Connector, ConnectorMapping
from app.engine.json_types import JSON, JsonObject
from app.engine.json_values import merge

_INTEGRATION: Final = "/integration"
_MODEL: Final = "/unified-model"
_MAPPING: Final = "/unified-model-resource-method"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is now as the connector says."""

    done: str
    """``created``, ``updated`` or ``unchanged``."""
    kind: str
    name: str
    id: str


def install(client: ApiClient, connector: Connector) -> Iterator[Step]:
    """Make or change the integration, the unified models and the mappings, in this order; give each as it is done.

    What somebody added to one of them stays; a second time nothing changes. Raises ApiError.
    """
    yield _put(client, _INTEGRATION, "integration", connector.integration, what="config", known={})
    models = {}
    for name, model in connector.models.items():
        step = _put(client, _MODEL, "unified model", model, what="resources", known={})
        models[name] = step.id
        yield step
    for mapping in connector.mappings:
        yield _put_mapping(client, connector, mapping, models[mapping.model])


def _put_mapping(client: ApiClient, connector: Connector, mapping: ConnectorMapping, model_id: str) -> Step:
    place = {
        "unified_model_id": model_id,
        "integration_name": connector.name,
        "resource_name": mapping.resource,
        "method_name": mapping.method,
    }
    name = f"{mapping.model}/{mapping.resource} {mapping.method}"
    return _put(
        client, _MAPPING, "mapping", {"name": name, **place, "config": mapping.config}, what="config", known=place
    )


def _put(client: ApiClient, path: str, kind: str, wanted: JsonObject, *, what: str, known: Mapping[str, JSON]) -> Step:
    """Make a thing, or change ``what`` of the one that is ``known`` by some fields, or else by its name."""
    name = str(wanted["name"])
    found = client.get(path, {**(known or {"name": name}), "limit": 1})["result"]
    if not found:
        body = {field: value for field, value in wanted.items() if field != "name" or not known}
        return Step("created", kind, name, client.post(path, body)["id"])
    (current,) = found
    place = f"{path}/{current['id']}"
    if _holds(current[what], wanted[what]):
        return Step("unchanged", kind, name, current["id"])
    for change in _changes(current[what], wanted[what]):
        client.patch(place, {what: change})
    return Step("updated", kind, name, current["id"])


def _holds(current: JSON, wanted: JSON) -> bool:
    """Whether all of the wanted is there; there may be more."""
    if isinstance(current, dict) and isinstance(wanted, dict):
        return all(key in current and _holds(current[key], value) for key, value in wanted.items())
    return bool(current == wanted)


def _changes(current: JsonObject, wanted: JsonObject) -> list[JsonObject]:
    """Return the patches that bring a thing up to date.

    A null in a patch takes a key away, so whatever is to hold one is first taken away and then made anew.
    """
    anew = _to_make_anew(current, wanted)
    rest = _difference(merge(current, anew), wanted)
    return [anew, rest] if anew else [rest]


def _difference(current: JsonObject, wanted: JsonObject) -> JsonObject:
    """Return what of the wanted is not there, and nothing that is: a null that is there would go."""
    found: JsonObject = {}
    for key, value in wanted.items():
        here = current.get(key)
        if key not in current or not _holds(here, value):
            is_inside = isinstance(here, dict) and isinstance(value, dict)
            found[key] = _difference(cast("JsonObject", here), value) if is_inside else value
    return found


def _to_make_anew(current: JsonObject, wanted: JsonObject) -> JsonObject:
    found: JsonObject = {}
    for key, value in wanted.items():
        here = current.get(key)
        if not isinstance(value, dict) or not isinstance(here, dict):
            continue
        if any(inner is None for inner in value.values()) and not _holds(here, value):
            found[key] = None
        elif deeper := _to_make_anew(here, value):
            found[key] = deeper
    return found
