"""Ask once more when Postgres gave up what was asked for another transaction's sake: a deadlock, or rows that changed.

Nothing of such a transaction has happened, and nothing but chance made it lose: a second try mostly goes through.
"""

import functools
import inspect
import random
import time
from collections.abc import Callable
from typing import Any, Final, ParamSpec, TypeVar

from app.engine.errors import StoreConflictError

P = ParamSpec("P")
T = TypeVar("T")
C = TypeVar("C", bound=type[Any])

TRIES: Final = 4
_LONGEST_PAUSE_SECONDS: Final = 0.05
_OF_THE_CALLERS_TRANSACTION: Final = frozenset({"connection", "cursor"})


def repeated(ask: Callable[P, T]) -> Callable[P, T]:
    """Have a function called again, a few times at most, when another transaction went first.

    It has to be one transaction, of its own.
    """

    @functools.wraps(ask)
    def asking(*args: P.args, **kwargs: P.kwargs) -> T:
        for failed in range(1, TRIES):
            try:
                return ask(*args, **kwargs)
            except StoreConflictError:
                # Not both at the same moment again.
                time.sleep(random.random() * failed * _LONGEST_PAUSE_SECONDS)  # noqa: S311  # no secret
        return ask(*args, **kwargs)

    return asking


def repeats_conflicts(kind: C) -> C:
    """Have each public method of a store repeated so, but for those that take part in a caller's transaction."""
    for name, member in list(vars(kind).items()):
        if not name.startswith("_") and inspect.isfunction(member) and not _is_part(member):
            setattr(kind, name, repeated(member))
    return kind


def _is_part(method: Callable[..., object]) -> bool:
    return not _OF_THE_CALLERS_TRANSACTION.isdisjoint(inspect.signature(method).parameters)
