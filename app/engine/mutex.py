"""A run's mutex key: runs of one job that resolve to the same key are carried out one at a time."""

from collections.abc import Sequence
from typing import Final

from app.engine import placeholders
from app.engine.errors import Failure, InvalidInputError, PlaceholderError
from app.engine.json_types import JsonObject
from app.engine.placeholders import UNDEFINED
from app.engine.record_rows import encode

LONGEST: Final = 500


def failures(template: str | None) -> Sequence[Failure]:
    """Tell what is wrong with a key before its placeholders have values."""
    if template is None:
        return []
    if len(template) > LONGEST:
        return [_too_long()]
    try:
        placeholders.parse(template)
    except InvalidInputError as error:
        return [Failure("mutex_key", failure.message) for failure in error.failures]
    return []


def resolve(template: str | None, scope: JsonObject) -> tuple[str | None, Sequence[Failure]]:
    """Give the key of a run, None for a run without a mutex, and what is wrong with it."""
    if faults := failures(template):
        return None, faults
    try:
        value = placeholders.parse(template).resolve(scope)
    except PlaceholderError as error:
        return None, [Failure("mutex_key", error.message)]
    if value is None or value is UNDEFINED or value == "":
        return None, []
    # A cast may give any JSON.
    key = value if isinstance(value, str) else encode(value).decode()
    return (key, []) if len(key) <= LONGEST else (None, [_too_long()])


def _too_long() -> Failure:
    return Failure("mutex_key", f"expected at most {LONGEST} characters")
