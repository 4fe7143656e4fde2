"""What may be changed about an account by hand: the size of its context, and its status."""

import json
from collections.abc import Sequence
from typing import Final

from app.engine.errors import Failure, InvalidInputError
from app.engine.json_types import JsonObject
from app.engine.json_values import walk
from app.engine.objects.accounts import IntegratedAccount
from app.engine.status import AccountStatus

MOST_VALUES: Final = 5000
MOST_CHARACTERS: Final = 256 * 1024


def check_context_size(context: JsonObject) -> JsonObject:
    """Return a context as it may be kept; raise InvalidInputError for one that holds too much."""
    values, characters = (
        sum(not isinstance(value, dict | list) for value in walk(context)),
        len(json.dumps(context, ensure_ascii=False)),
    )
    if values > MOST_VALUES or characters > MOST_CHARACTERS:
        message = (
            f"would hold {values} values, {characters} characters as JSON:"
            f" expected at most {MOST_VALUES} and {MOST_CHARACTERS}"
        )
        raise InvalidInputError([Failure("context", message)])
    return context


_PATH: Final = "status"
_CHOSEN: Final = (AccountStatus.ACTIVE, AccountStatus.INACTIVE)
_EXPECTED: Final = "expected active or inactive"


def check_new_status(fields: JsonObject) -> Sequence[Failure]:
    """Return what is wrong with the status that a new account is to have."""
    return [] if fields.get(_PATH, AccountStatus.ACTIVE) in _CHOSEN else [Failure(_PATH, _EXPECTED)]


def resolve_status(
    values: JsonObject, current: IntegratedAccount, shown: str, *, has_context: bool
) -> tuple[JsonObject, Sequence[Failure]]:
    """Return the values without a status that changes nothing, such as the ``shown`` one that is sent back.

    ``active`` ends a rest; what needs new credentials needs new credentials.
    """
    sent = values.get(_PATH)
    if sent is None:
        return values, []
    rest = {name: value for name, value in values.items() if name != _PATH}
    if sent == shown and sent != AccountStatus.INACTIVE:
        return rest, []
    if sent not in _CHOSEN:
        return rest, [Failure(_PATH, _EXPECTED)]
    if AccountStatus.INACTIVE in (sent, current.status):
        return values, []
    if has_context:
        return rest, []
    return rest, [Failure(_PATH, f"is {shown}, which new credentials end, or calls that succeed: expected inactive")]
