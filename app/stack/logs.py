"""The children's log files: bounded in size, and their last lines."""

import shutil
from pathlib import Path

_LIMIT_BYTES = 10 * 1024 * 1024
_TAIL_BYTES = 16 * 1024


def bound_log(path: Path, limit_bytes: int = _LIMIT_BYTES) -> None:
    """Move what a log holds to ``<name>.1`` once it is too long; its writer may go on, as it appends."""
    if path.exists() and path.stat().st_size > limit_bytes:
        shutil.copyfile(path, path.with_name(f"{path.name}.1"))
        with path.open("r+") as log:
            log.truncate(0)


def read_last_lines(path: Path, *, since: int = 0, count: int = 5) -> list[str]:
    """Return the last lines that are not blank, of those written after offset ``since``."""
    if not path.exists():
        return []
    with path.open("rb") as log:
        size = log.seek(0, 2)
        start = since if since <= size else 0
        log.seek(max(start, size - _TAIL_BYTES))
        lines = log.read().decode(errors="replace").splitlines()
    return [line.rstrip() for line in lines if line.strip()][-count:]
