"""Record direct calls in the log; a call is answered the same whether or not that succeeds."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from app.engine.ids import new_id, parse_id
from app.engine.objects.environments import EnvironmentId

logger = logging.getLogger(__name__)

_LONGEST: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredCall:
    """A direct call and its answer."""

    environment_id: EnvironmentId
    integrated_account_id: str | None
    """As the caller sent it."""
    api: str
    """unified, proxy or custom."""
    resource: str | None
    method: str
    response_status: int
    duration_ms: int
    error: str | None
    """The answer's message, where it is an error of ours."""
    request_id: str


class CallLog:
    """Records calls once they are answered."""

    def __init__(self, add: Callable[[str, AnsweredCall], None]) -> None:
        """``add`` writes a call under a new id."""
        self._add = add

    def record(self, call: AnsweredCall) -> None:
        """Record a call; never raises."""
        try:
            self._add(new_id(), _make_storable(call))
        except Exception as error:
            # The call is answered by now, whether or not it can be logged.
            facts = {"request_id": call.request_id, "reason": type(error).__name__}
            logger.warning("a direct call could not be logged", extra=facts)


def _make_storable(call: AnsweredCall) -> AnsweredCall:
    """Return a call without what a row can not, or should not, hold."""
    return replace(
        call,
        integrated_account_id=parse_id(call.integrated_account_id or ""),
        resource=None if call.resource is None else _clip(call.resource),
        method=_clip(call.method),
        error=None if call.error is None else _clip(call.error),
    )


def _clip(text: str) -> str:
    return text.replace("\0", "")[:_LONGEST]
