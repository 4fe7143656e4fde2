"""Hints at mistyped keys, which take computing."""

from app.engine.known_keys import judging
from app.engine.known_keys.of_integrations import INTEGRATION
from app.engine.known_keys.suggestions import MOST_SUGGESTED


def test_of_very_many_unknown_keys_only_the_first_ones_are_compared_with_the_known_ones() -> None:
    config = {f"respnse_path{number}": 1 for number in range(20_000)}

    found = judging.judge(config, INTEGRATION, "config")

    unknown = [*found.failures, *found.notes]
    assert len(unknown) == 20_000
    assert sum("did you mean 'response_path'?" in one.message for one in unknown) == MOST_SUGGESTED
