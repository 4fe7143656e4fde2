"""Processes of the machine: identify a pid, and end the processes of a killed supervisor."""

import json
import os
import signal
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

_LEFTOVER_SECONDS = 10.0
_POLL_SECONDS = 0.05
_MOST_GENERATIONS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRecord:
    """A process that leads its own group, as written to a pid file."""

    pid: int
    identity: str | None
    """Distinguishes it from a later process with the same pid."""
    stop_signal: int
    directory: str | None = None
    """The directory that it was started for: a copy has the same pid files, but none of the processes."""


def read_identity(pid: int) -> str | None:
    """Return when and under which boot a process began; None when it is gone, a zombie, or the system has no /proc."""
    try:
        # The name in parentheses may hold anything, spaces and parentheses too.
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    return None if state in "ZX" else f"{boot}:{fields[18]}"


def identify_directory(directory: Path) -> str:
    """Return what identifies a directory under any path, and distinguishes it from its copies."""
    status = directory.stat()
    return f"{status.st_dev}:{status.st_ino}"


def is_working(leaders: Collection[int]) -> bool:
    """Whether one of these or a descendant computes, waits for a core, or waits for a disk.

    Each leads a session. Postgres' own processes lead sessions of their own, the recovering one among them.
    """
    found = dict[int, tuple[str, int, int]]()
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent, _, session, *_ = file.read_text().rpartition(")")[2].split()
        except (OSError, ValueError):
            continue
        found[int(file.parent.name)] = (state, int(parent), int(session))
    return any(state in "RD" and _is_descendant(pid, found, leaders) for pid, (state, _, _) in found.items())


def _is_descendant(pid: int, found: Mapping[int, tuple[str, int, int]], leaders: Collection[int]) -> bool:
    """Follow the parents of a process, within a bound, since pids may be reused while they are read."""
    for _ in range(_MOST_GENERATIONS):
        if pid not in found:
            return False
        _, parent, session = found[pid]
        if session in leaders:
            return True
        pid = parent
    return False


def signal_group(pid: int, number: int) -> None:
    """Send a signal to every process of the group that ``pid`` leads, or led."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def record_process(pid_file: Path, pid: int, stop_signal: int) -> None:
    """Record a child, so that the next supervisor can end it should this one be killed."""
    record = ProcessRecord(
        pid=pid,
        identity=read_identity(pid),
        stop_signal=int(stop_signal),
        directory=identify_directory(pid_file.parent),
    )
    pid_file.write_text(json.dumps(asdict(record)))


def end_leftovers(run_dir: Path) -> list[str]:
    """End every process of a killed supervisor of this directory; return their names.

    Pid files in a copy of a directory name the processes of the original, which are left alone.
    """
    found = {path: record for path in sorted(run_dir.glob("*.pid")) if (record := _read_record(path))}
    own = identify_directory(run_dir)
    records = {path: record for path, record in found.items() if record.directory == own}
    alive = {path: record for path, record in records.items() if _is_same_process(record)}
    for record in alive.values():
        signal_group(record.pid, record.stop_signal)
    _wait_until_gone(list(alive.values()))
    for record in records.values():
        _kill_group(record)
    for path in found:
        path.unlink(missing_ok=True)
    return [path.stem for path in alive]


def _read_record(path: Path) -> ProcessRecord | None:
    try:
        return ProcessRecord(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _is_same_process(record: ProcessRecord) -> bool:
    return record.identity is not None and read_identity(record.pid) == record.identity


def _wait_until_gone(records: list[ProcessRecord]) -> None:
    deadline = time.monotonic() + _LEFTOVER_SECONDS
    while time.monotonic() < deadline and any(map(_is_same_process, records)):
        time.sleep(_POLL_SECONDS)


def _kill_group(record: ProcessRecord) -> None:
    """Kill the rest of a group, unless another process has its number now.

    A number is not reused while its group exists, so that a missing leader is no obstacle.
    """
    is_reused = Path(f"/proc/{record.pid}").exists() and not _is_same_process(record)
    same_boot = (record.identity or "").split(":")[0] == (read_identity(os.getpid()) or "-").split(":")[0]
    if same_boot and not is_reused:
        signal_group(record.pid, signal.SIGKILL)
