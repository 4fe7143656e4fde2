"""Packages from an index, by uv: what asks for one is skipped where none can be reached, unless it has to run."""

import os
import subprocess
from pathlib import Path
from typing import Final

import pytest
from uv import find_uv_bin

from tests.support.debian import MUST_RUN

PROJECT_ROOT: Final = Path(__file__).parents[2]
LOCKS: Final = PROJECT_ROOT / "requirements"


def uv(*arguments: str | Path, input_text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run uv; it downloads no Python, and trusts the authorities that this machine trusts, as pip does."""
    return subprocess.run(
        [find_uv_bin(), "--no-python-downloads", "--quiet", *arguments],
        input=input_text,
        env={**os.environ, "UV_NATIVE_TLS": "1", "UV_SYSTEM_CERTS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def need_index(place: Path) -> None:
    """Skip with the reason, or fail where that is forbidden, when no package index answers."""
    asked = uv("pip", "install", "--dry-run", "--target", place, "tzdata")
    if asked.returncode == 0:
        return
    reason = f"no package index answers: {' '.join(asked.stderr.split())[:300]}"
    if os.environ.get(MUST_RUN):
        pytest.fail(reason)
    pytest.skip(reason)


def locked_versions() -> str:
    """Return the versions of the runtime's lock, one a line, without their hashes."""
    lines = (LOCKS / "runtime.txt").read_text().splitlines()
    return "\n".join(line.removesuffix("\\").strip() for line in lines if line and not line.startswith((" ", "#")))
