"""Wait for what must come true, and not a moment longer."""

import time
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

_POLL_SECONDS = 0.02
LONGEST_SECONDS: Final = 300.0
"""For what a busy machine may take its time over: a wait that ends well costs nothing by it."""

Found = TypeVar("Found")


class WaitFor(Protocol):
    """Polls until something is there."""

    def __call__(self, look: Callable[[], Found | None], timeout: float = ..., *, what: str = ...) -> Found:
        """Return what was found."""


def wait_for(look: Callable[[], Found | None], timeout: float = LONGEST_SECONDS, *, what: str = "") -> Found:
    """Look until there is something true, and give it; fail when the time is over."""
    deadline = time.monotonic() + timeout
    while not (found := look()):
        assert time.monotonic() < deadline, f"{what or 'it'} did not come true within {timeout:g} s"
        time.sleep(_POLL_SECONDS)
    return found
