"""docs/sync-jobs.md: what it shows is read without a fault, and its expressions give what it says."""

import json
import re
from pathlib import Path

import pytest

from app.engine import args_validation, planning, scope, transforms
from app.engine.definition import parse_resources
from app.engine.json_types import JSON

PAGE = (Path(__file__).parents[3] / "docs" / "sync-jobs.md").read_text()
LISTS = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
TEAMS = [{"id": "a", "size": 1, "name": "A"}, {"id": "b", "size": 2, "name": "B"}]


@pytest.mark.parametrize("resources", LISTS, ids=lambda resources: resources[-1].get("name", resources[-1]["resource"]))
def test_a_list_of_the_page_is_read(resources: JSON) -> None:
    items, failures = parse_resources(resources)

    assert failures == []
    assert len(items) == len(resources)


@pytest.mark.parametrize(
    ("position", "name", "given"),
    [(2, "large", [{"id": "b", "title": "B"}]), (3, "sum", [{"id": "members", "count": 2}])],
)
def test_a_transform_of_the_page_gives_records(position: int, name: str, given: JSON) -> None:
    items, _ = parse_resources(LISTS[position])
    item = next(item for item in items if item.name == name)

    seen = scope.batch_scope(item, planning.plan(items), scope.batch_element({}, TEAMS), {"resources": {}})

    assert transforms.transformed(item, seen) == given


def test_the_rule_of_the_page_refuses_what_it_says() -> None:
    rule = json.loads(next(line for line in PAGE.splitlines() if line.startswith("    {")))["args_validation"]

    (failure,) = args_validation.failures(rule, {"since": "2024-02", "until": "2024-01"})

    assert failure.message == "since is after until"
