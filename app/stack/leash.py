"""Become a command that dies with its parent: ``leash.py SIGNAL PARENT_PID UID:GID|- COMMAND...``.

A script of its own, not a ``preexec_fn``: Python code between fork and exec can deadlock in a process with threads.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def run(death_signal: int, parent_pid: int, user: str, command: list[str]) -> None:
    """Drop to ``user``, ask for ``death_signal`` at the parent's death, and become ``command``."""
    if user != "-":
        uid, gid = map(int, user.split(":"))
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    # After the change of user, which clears it.
    _die_with_parent(death_signal)
    if os.getppid() != parent_pid:
        sys.exit("the supervisor ended before this process began")
    os.execvp(command[0], command)  # noqa: S606  # the point: no shell, no second process


def _die_with_parent(death_signal: int) -> None:
    # Only on Linux; elsewhere the next start ends the processes of a killed supervisor.
    prctl = getattr(ctypes.CDLL(None, use_errno=True), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)


if __name__ == "__main__":
    run(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
