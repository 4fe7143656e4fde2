"""The names of the tasks; a message that the release before sent, by a name of then, means what it meant then."""

from collections.abc import Mapping
from typing import Final

START_RUN: Final = "ferryman.start_run"
"""args: run id"""
SYNC_RESOURCE: Final = "ferryman.sync_resource"
"""args: run id, run resource id"""
SYNC_UNIT: Final = "ferryman.sync_unit"
"""args: run id, unit id"""

CANARY: Final = "ferryman.canary"
"""args: daemon id; a daemon calls itself, no work"""

ALL: Final = frozenset({START_RUN, SYNC_RESOURCE, SYNC_UNIT})

FORMER: Final[Mapping[str, str]] = {f"{name}.v1": name for name in (*sorted(ALL), CANARY)}
"""What the tasks were called by 0.1, whose messages may wait in queues and in the outbox while this release starts."""


def current_name(name: str) -> str:
    """Return what a task is called today; any other name as it is."""
    return FORMER.get(name, name)
