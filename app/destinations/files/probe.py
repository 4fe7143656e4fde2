"""Try a store: write, read back, list and remove an object, and ask whether it enforces conditions."""

from uuid import uuid4

from app.destinations.files.names import PROBE
from app.destinations.files.ports import ObjectStore
from app.engine.errors import DestinationError
from app.engine.json_types import JsonObject


def probe(store: ObjectStore) -> JsonObject:
    """Return what is true of a store; raise DestinationError where it does not keep what it accepts."""
    folder = f"{PROBE}-{uuid4().hex}"
    name, content = f"{folder}/probe.txt", b"Ferryman tries whether it can write here."
    try:
        enforces = _ask_for_conditions(store, name, content)
        if store.get(name) != content:
            raise DestinationError("the store does not return what was written", code="target_refuses")
        if name not in [found.name for found in store.list(folder)]:
            raise DestinationError("the store does not list what was written", code="target_refuses")
    finally:
        store.delete([name])
    if store.get(name) is not None:
        raise DestinationError("the store keeps what was removed", code="target_refuses")
    return {"writes": True, "reads": True, "lists": True, "deletes": True, "enforces_conditions": enforces}


def _ask_for_conditions(store: ObjectStore, name: str, content: bytes) -> bool:
    """Create an object twice; a store that does not refuse the second one ignores conditions."""
    if not store.create(name, content):
        raise DestinationError("the store refuses a name that is new", code="target_refuses")
    return not store.create(name, content)
