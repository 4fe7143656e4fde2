"""Retry what Postgres has aborted for another transaction's sake: a deadlock, or rows that changed.

Nothing of such a transaction has happened, and chance alone made it lose: a second try mostly succeeds.
"""

import functools
import inspect
import time
from collections.abc import Callable
from typing import Any, Final, ParamSpec, TypeVar

from app.engine.errors import StoreConflictError
from app.engine.limits.retry import draw_chance

P = ParamSpec("P")
T = TypeVar("T")
C = TypeVar("C", bound=type[Any])

TRIES: Final = 4
_LONGEST_PAUSE_SECONDS: Final = 0.05
_OF_THE_CALLERS_TRANSACTION: Final = frozenset({"connection", "cursor"})


def retry_on_conflict(ask: Callable[P, T]) -> Callable[P, T]:
    """Call a function again, a few times at most, when another transaction went first.

    It has to be one transaction of its own.
    """

    @functools.wraps(ask)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        for failed in range(1, TRIES):
            try:
                return ask(*args, **kwargs)
            except StoreConflictError:
                # Not both at the same moment again.
                time.sleep(draw_chance() * failed * _LONGEST_PAUSE_SECONDS)
        return ask(*args, **kwargs)

    return call


def retry_conflicts(kind: C) -> C:
    """Retry each public method of a store so, but for those that take part in a caller's transaction."""
    for name, member in list(vars(kind).items()):
        if not name.startswith("_") and inspect.isfunction(member) and not _is_part(member):
            setattr(kind, name, retry_on_conflict(member))
    return kind


def _is_part(method: Callable[..., object]) -> bool:
    return not _OF_THE_CALLERS_TRANSACTION.isdisjoint(inspect.signature(method).parameters)
