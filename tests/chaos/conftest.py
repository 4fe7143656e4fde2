"""One arena for all scenarios of the short form."""

import os
import random
from collections.abc import Iterator

import pytest

from tests.chaos import arena
from tests.chaos.arena import Arena


@pytest.fixture(scope="module")
def place() -> Iterator[Arena]:
    """Run a whole Ferryman and the world around it."""
    with arena.opened() as opened:
        yield opened


@pytest.fixture
def seed() -> int:
    """Leave it to chance, but print it: CHAOS_SEED repeats it."""
    given = int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(10**9))
    print(f"CHAOS_SEED={given}")
    return given
