"""The ways in which the runs of a round list their parents: one page after the other, side by side, or in parts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.engine.json_types import JsonObject
from tests.chaos.outside_world import PARENTS
from tests.support.reached_ahead import AHEAD_OF_A_CURSOR, count_repeated_by_a_crash
from tests.support.workspace import CURSOR_PAGES


@dataclass(frozen=True, slots=True, kw_only=True)
class ListWay:
    """One way, and what it may cost."""

    method: JsonObject
    """What the integration says of the list, beside its path."""
    checks: int = 0
    """Pages that are requested once more to see whether the list has changed, or can be cut into parts."""
    spare_pages: int = 0
    """Pages beyond those that a list in turn has: checks, and the ends of parts; a crash adds some."""
    is_side_by_side: bool = True
    is_cut: bool = False

    def most_repeats(self, requests_in_flight: int) -> int:
        """Return how many requests one crash may have repeated."""
        return count_repeated_by_a_crash(requests_in_flight) if self.is_side_by_side else 1 + AHEAD_OF_A_CURSOR


WAYS: Final[Mapping[str, ListWay]] = {
    "by cursor": ListWay(method={}, is_side_by_side=False),
    "by page": ListWay(
        method={"pagination": {"format": "page", "config": {"total_path": "total"}}}, checks=2, spare_pages=8
    ),
    "by offset": ListWay(method={"pagination": {"format": "offset", "config": {"limit": 20}}}, checks=2, spare_pages=8),
    "in parts": ListWay(
        method={
            "pagination": {
                "format": "cursor",
                "config": {"cursor_path": "next_cursor", "cursor_param": "cursor", "total_path": "total"},
            },
            "partition": {"by": "number", "from": "from", "to": "to", "end": PARENTS},
        },
        checks=1,
        spare_pages=8,
        is_cut=True,
    ),
}


def build_config(way: ListWay) -> JsonObject:
    """Return the config of an integration whose parents are listed in a way."""
    method = {"method": "get", "path": "/parents", **way.method}
    return {**CURSOR_PAGES, "resources": {"parents": {"list": method}}}
