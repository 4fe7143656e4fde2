"""How the status of an account may be changed by hand: it is put to rest, and woken."""

from collections.abc import Sequence
from typing import Final

from app.engine.errors import Failure
from app.engine.json_types import JsonObject
from app.engine.objects.accounts import IntegratedAccount
from app.engine.status import AccountStatus

_PATH: Final = "status"
_CHOSEN: Final = (AccountStatus.ACTIVE, AccountStatus.INACTIVE)
_EXPECTED: Final = "expected active or inactive"


def failures_of_new(fields: JsonObject) -> Sequence[Failure]:
    """Return what is wrong with the status that a new account is to have."""
    return [] if fields.get(_PATH, AccountStatus.ACTIVE) in _CHOSEN else [Failure(_PATH, _EXPECTED)]


def changed(
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
