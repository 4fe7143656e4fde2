"""The short form of ``make chaos``: the scenarios that tell most, one round of each.

What dies at a chosen line is left to the long form here: test_deaths_at_commits.py kills a daemon at the commits of a
run. So are an emptied broker and doubled messages, of which tests/integration/workers/nodes/test_survival.py knows.
"""

import pytest

from tests.chaos.arena import Arena
from tests.chaos.outside_world import everything
from tests.chaos.rounds import play
from tests.chaos.scenarios import SCENARIOS

SHORT = (
    "daemon-killed",
    "postgres-restarted",
    "api-killed-in-mid-request",
)


@pytest.mark.parametrize("name", SHORT)
def test_nothing_is_lost_and_nothing_doubled(place: Arena, seed: int, name: str) -> None:
    outcome = play(place, SCENARIOS[name], seed)

    print(outcome)


def test_each_run_holds_twenty_thousand_records() -> None:
    assert sum(len(records) for records in everything("any").values()) >= 20_000
