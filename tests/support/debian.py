"""Programs that only Debian has, or npm: what needs one is skipped without it, unless it has to run."""

import os
from typing import Final

import pytest

MUST_RUN: Final = "FERRYMAN_TESTS_MUST_RUN"
"""Set where such tests may not be skipped, as in CI."""


def need(program: str | None, *, package: str, install: str = "") -> None:
    """Skip with the reason, or fail where that is forbidden, when a program was not found.

    ``install`` is the command that installs the package, by default Debian's.
    """
    if program is not None:
        return
    reason = f"there is no {package}: install it ({install or f'apt-get install {package}'})"
    if os.environ.get(MUST_RUN):
        pytest.fail(reason)
    pytest.skip(reason)
