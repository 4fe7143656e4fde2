"""A scenario: what it measures, what it has to reach, and how it is measured."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.measurement import Measurement
from bench.workbench import Workbench


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One thing to be measured, by its name."""

    name: str
    what: str
    bar: str
    """In words; the figures hold it in numbers."""
    measure: Callable[[Workbench], Measurement]
    """Raises BenchError when what was measured did not do its work."""
