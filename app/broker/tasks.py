"""The names of the tasks, and the names of the previous release, whose messages are still accepted."""

from collections.abc import Mapping
from typing import Final

START_RUN: Final = "ferryman.start_run"
"""args: run id"""
SYNC_RESOURCE: Final = "ferryman.sync_resource"
"""args: run id, run resource id"""
SYNC_UNIT: Final = "ferryman.sync_unit"
"""args: run id, unit id"""

WRITE_DESTINATION: Final = "ferryman.write_destination"
"""args: destination id, integrated account id"""

CANARY: Final = "ferryman.canary"
"""args: daemon id; a daemon sends it to itself"""

ALL: Final = frozenset({START_RUN, SYNC_RESOURCE, SYNC_UNIT})
"""Those of runs."""

FORMER: Final[Mapping[str, str]] = {f"{name}.v1": name for name in (*sorted(ALL), CANARY)}
"""The names in release 0.1, whose messages may wait in queues and in the outbox during an upgrade."""


def find_current_name(name: str) -> str:
    """Return the current name of a task; any other name unchanged."""
    return FORMER.get(name, name)
