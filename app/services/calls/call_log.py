"""Keep in the log that an account's API was called; a call is answered the same whether that can be done or not."""

import logging
from dataclasses import dataclass, replace
from typing import Final, Protocol

from app.engine.ids import new_id, parse_id
from app.engine.objects.environments import EnvironmentId

logger = logging.getLogger(__name__)

_LONGEST: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredCall:
    """A direct call, and what its caller was answered."""

    environment_id: EnvironmentId
    integrated_account_id: str | None
    """As the caller gave it."""
    api: str
    """unified, proxy or custom."""
    resource: str | None
    method: str
    response_status: int
    duration_ms: int
    error: str | None
    """The answer's message, where it is an error of ours."""
    request_id: str


class CallStore(Protocol):
    """Keeps direct calls."""

    def add(self, id: str, call: AnsweredCall) -> None:
        """Write down a call."""


class CallLog:
    """Writes calls down once they are answered."""

    def __init__(self, calls: CallStore) -> None:
        self._calls = calls

    def note(self, call: AnsweredCall) -> None:
        """Write down a call; never raises."""
        try:
            self._calls.add(new_id(), _storable(call))
        except Exception as error:
            # The caller has an answer by now, which nothing that goes wrong here may take away.
            facts = {"request_id": call.request_id, "reason": type(error).__name__}
            logger.warning("a direct call could not be logged", extra=facts)


def _storable(call: AnsweredCall) -> AnsweredCall:
    """Leave out what a row can not hold, and what none should."""
    return replace(
        call,
        integrated_account_id=parse_id(call.integrated_account_id or ""),
        resource=None if call.resource is None else _text(call.resource),
        method=_text(call.method),
        error=None if call.error is None else _text(call.error),
    )


def _text(text: str) -> str:
    return text.replace("\0", "")[:_LONGEST]
