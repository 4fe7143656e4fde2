"""A run's keys: templates of the job or the run, resolved once, when the run is created.

Runs of one job with the same ``mutex_key`` run one at a time; ``state_key`` names the states of a run.
"""

from collections.abc import Sequence
from typing import Final

from app.engine.errors import Failure, InvalidInputError
from app.engine.json_types import JsonObject
from app.engine.paths import UNDEFINED
from app.engine.record_errors import PlaceholderError
from app.engine.records.rows import encode
from app.engine.templating import placeholders

MUTEX_KEY: Final = "mutex_key"
STATE_KEY: Final = "state_key"
LONGEST: Final = 500


def check_template(field: str, template: str | None) -> Sequence[Failure]:
    """Return what is wrong with a key before its placeholders have values."""
    if template is None:
        return []
    if len(template) > LONGEST:
        return [_make_length_failure(field)]
    try:
        placeholders.parse(template)
    except InvalidInputError as error:
        return [Failure(field, failure.message) for failure in error.failures]
    return []


def resolve(
    field: str, template: str | None, scope: JsonObject, *, masked: JsonObject
) -> tuple[str | None, Sequence[Failure]]:
    """Return the key of a run, None for a run without one, and what is wrong with it.

    ``masked`` is the same scope without the account's secrets: a key is shown to everyone, so none may be in it.
    """
    if faults := check_template(field, template):
        return None, faults
    try:
        parsed = placeholders.parse(template)
        value = parsed.resolve(scope)
        if value != parsed.resolve(masked):
            return None, [Failure(field, "holds a secret of the account's context, which a run's key would show")]
    except PlaceholderError as error:
        return None, [Failure(field, error.message)]
    if value is None or value is UNDEFINED or value == "":
        return None, []
    # A cast may return any JSON.
    key = value if isinstance(value, str) else encode(value).decode()
    return (key, []) if len(key) <= LONGEST else (None, [_make_length_failure(field)])


def _make_length_failure(field: str) -> Failure:
    return Failure(field, f"expected at most {LONGEST} characters")
