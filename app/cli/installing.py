"""Install a connector into an environment over the HTTP API: objects are created or updated, never removed."""

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
    """One object that is now as the connector describes it."""

    done: str
    """``created``, ``updated`` or ``unchanged``."""
    kind: str
    name: str
    id: str


def install(client: ApiClient, connector: Connector) -> Iterator[Step]:
    """Create or update the integration, the unified models and the mappings, in this order; yield each when it is done.

    What somebody added to one of them stays; a second time nothing changes. Raises ApiError.
    """
    yield _create_or_update(client, _INTEGRATION, "integration", connector.integration, what="config", known={})
    models = {}
    for name, model in connector.models.items():
        step = _create_or_update(client, _MODEL, "unified model", model, what="resources", known={})
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
    return _create_or_update(
        client, _MAPPING, "mapping", {"name": name, **place, "config": mapping.config}, what="config", known=place
    )


def _create_or_update(
    client: ApiClient, path: str, kind: str, wanted: JsonObject, *, what: str, known: Mapping[str, JSON]
) -> Step:
    """Create an object, or update ``what`` of the one with the fields ``known``, or else with its name."""
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
    """Whether the current value holds all of the wanted one; it may hold more."""
    if isinstance(current, dict) and isinstance(wanted, dict):
        return all(key in current and _holds(current[key], value) for key, value in wanted.items())
    return bool(current == wanted)


def _changes(current: JsonObject, wanted: JsonObject) -> list[JsonObject]:
    """Return the patches that bring a thing up to date.

    A null in a patch removes a key, so an object that is to hold one is removed first and then written again.
    """
    removal = _find_rewritten(current, wanted)
    rest = _difference(merge(current, removal), wanted)
    return [removal, rest] if removal else [rest]


def _difference(current: JsonObject, wanted: JsonObject) -> JsonObject:
    """Return the wanted values that are missing, and no others: a null that is there would remove its key."""
    found: JsonObject = {}
    for key, value in wanted.items():
        here = current.get(key)
        if key not in current or not _holds(here, value):
            is_inside = isinstance(here, dict) and isinstance(value, dict)
            found[key] = _difference(cast("JsonObject", here), value) if is_inside else value
    return found


def _find_rewritten(current: JsonObject, wanted: JsonObject) -> JsonObject:
    found: JsonObject = {}
    for key, value in wanted.items():
        here = current.get(key)
        if not isinstance(value, dict) or not isinstance(here, dict):
            continue
        if any(inner is None for inner in value.values()) and not _holds(here, value):
            found[key] = None
        elif deeper := _find_rewritten(here, value):
            found[key] = deeper
    return found
