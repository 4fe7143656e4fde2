"""Lay one configuration over another."""

from app.engine.json_types import JSON, JsonObject


def merged(current: JSON, changes: JSON) -> JSON:
    """Merge objects deeply, where a null takes a key away; anything else is replaced whole."""
    if not isinstance(current, dict) or not isinstance(changes, dict):
        return changes
    kept = {key: value for key, value in current.items() if key not in changes}
    changed = {key: merged(current.get(key), value) for key, value in changes.items() if value is not None}
    return kept | changed


def overridden(config: JsonObject, override: JsonObject) -> JsonObject:
    """Lay an override over a config; most have none, and then a config stays as it is, whatever it is."""
    laid: JsonObject = merged(config, override) if override else config
    return laid
