"""All scenarios by name, in the order in which they are measured and shown."""

from collections.abc import Mapping
from typing import Final

from bench.scenario import Scenario
from bench.scenarios import (
    bulk,
    destinations,
    files,
    forgetting,
    freeze,
    growth,
    large_page,
    learning,
    lists,
    memory,
    nested,
    peers,
    runs,
    scale_out,
    screens,
    short_pages,
    silent_receiver,
    slow_lists,
    triggers,
    unified,
)

_ALL: Final = (
    *bulk.SCENARIOS,
    *learning.SCENARIOS,
    *large_page.SCENARIOS,
    *unified.SCENARIOS,
    *nested.SCENARIOS,
    *short_pages.SCENARIOS,
    *slow_lists.SCENARIOS,
    *runs.SCENARIOS,
    *lists.SCENARIOS,
    *screens.SCENARIOS,
    *memory.SCENARIOS,
    *freeze.SCENARIOS,
    *silent_receiver.SCENARIOS,
    *forgetting.SCENARIOS,
    *triggers.SCENARIOS,
    *destinations.SCENARIOS,
    *files.SCENARIOS,
    *growth.SCENARIOS,
    *scale_out.SCENARIOS,
    *peers.SCENARIOS,
)
SCENARIOS: Final[Mapping[str, Scenario]] = {scenario.name: scenario for scenario in _ALL}
