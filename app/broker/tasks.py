"""The names of the tasks, versioned: a message that an older release sent means what it meant then."""

START_RUN = "ferryman.start_run.v1"
"""args: run id"""
SYNC_RESOURCE = "ferryman.sync_resource.v1"
"""args: run id, run resource id"""
SYNC_UNIT = "ferryman.sync_unit.v1"
"""args: run id, unit id"""

CANARY = "ferryman.canary.v1"
"""args: daemon id; a daemon calls itself, no work"""

ALL = frozenset({START_RUN, SYNC_RESOURCE, SYNC_UNIT})
