"""What is said of keys and texts that are probably not meant."""

import pytest

from app.engine.json_types import JSON
from app.engine.known_keys import judging, placeholder_roots
from app.engine.known_keys.judging import WarningCode
from app.engine.known_keys.of_integrations import INTEGRATION
from app.engine.known_keys.of_items import ITEMS
from app.engine.known_keys.placeholder_roots import OF_ITEMS, Roots
from app.engine.known_keys.suggestions import MOST_SUGGESTED


def test_of_very_many_unknown_keys_only_the_first_ones_are_compared_with_the_known_ones() -> None:
    config: dict[str, JSON] = {f"respnse_path{number}": 1 for number in range(20_000)}

    found = judging.judge(config, INTEGRATION, "config")

    messages = [one.message for one in found.failures] + [one.message for one in found.notes]
    assert len(messages) == 20_000
    assert sum("did you mean 'response_path'?" in message for message in messages) == MOST_SUGGESTED


@pytest.mark.parametrize(
    ("item", "paths"),
    [
        ({"query": {"q": ["a > {{previous_run_date:undefined}}", 1]}}, ["resources.0.query"]),
        ({"query": {"q": "{{previous_run_date:undefined}}", "n": None}}, []),
        ({"query": {"q": "a {{args.x:undefined?:1}}"}}, []),
        ({"query": {"q": "a {{args.x"}}, []),
        ({"id": "a{{args.x:undefined}}"}, []),
    ],
)
def test_a_text_that_is_sent_without_its_value_is_named(item: dict[str, JSON], paths: list[str]) -> None:
    notes = placeholder_roots.find_notes([item], ITEMS, "resources", Roots(known=OF_ITEMS))

    assert [one.path for one in notes if one.code is WarningCode.UNFILLED_TEXT] == paths
