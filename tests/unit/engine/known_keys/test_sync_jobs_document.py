"""docs/sync-jobs.md: what it shows is read without a fault, and its expressions give what it says."""

import json
import re
from pathlib import Path

import pytest

from app.engine.jobs import args, computations, planning, scope
from app.engine.jobs.definition import OF_REQUESTS, parse_resources
from app.engine.json_types import JSON
from app.engine.known_keys.judging import judge
from app.engine.known_keys.of_items import ITEM, ITEMS
from app.engine.known_keys.shapes import Use
from app.engine.paths import UNDEFINED

PAGE = (Path(__file__).parents[4] / "docs" / "sync-jobs.md").read_text()
LISTS = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
TEAMS = [{"id": "a", "size": 1, "name": "A"}, {"id": "b", "size": 2, "name": "B"}]


@pytest.mark.parametrize("resources", LISTS, ids=lambda resources: resources[-1].get("name", resources[-1]["resource"]))
def test_a_list_of_the_page_is_read(resources: JSON) -> None:
    items, failures = parse_resources(resources)

    assert failures == judge(resources, ITEMS, "resources").failures == []
    assert len(items) == len(resources)


@pytest.mark.parametrize(
    ("name", "given"),
    [("large", [{"id": "b", "title": "B"}]), ("sum", [{"id": "members", "count": 2}])],
)
def test_a_transform_of_the_page_gives_records(name: str, given: JSON) -> None:
    items, _ = parse_resources(next(one for one in LISTS if any(item.get("name") == name for item in one)))
    item = next(item for item in items if item.name == name)

    seen = scope.build_batch_scope(item, planning.plan(items), scope.make_batch_element({}, TEAMS), {"resources": {}})

    assert computations.transform_records(item, seen) == given


def test_every_key_of_an_item_stands_in_the_table() -> None:
    keys = {key for row in re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE) for key in re.findall(r"`(\w+)`", row)}

    assert {*OF_REQUESTS, "resource", "method", "name", "type", "depends_on", "persist"} <= keys
    assert {name for name, key in ITEM.keys.items() if key.use is Use.READ} - {"config"} <= keys


@pytest.mark.parametrize(
    ("placeholder", "given"),
    [
        ("{{args.n}}", "7"),
        ("{{args.n:int}}", 7),
        ("{{args.none:null}}", None),
        ("{{args.none:undefined}}", UNDEFINED),
        ("{{args.none?:7:int}}", 7),
        ("{{args.none|args.n}}", "7"),
        ("{{args.empty|args.n:int}}", ""),
        ("{{args.empty|args.n:int:ignore-empty-str}}", 7),
        ("{{args.ids[0]}}", "x"),
        ("{{args.ids.-1}}", "y/z"),
        ("{{args.@odata.id}}", "o"),
        ("{{args.`a b`}}", "ab"),
        ('{{args["a.b"]}}', "a.b"),
        ("{{args.ids.1:segment}}", "y%2Fz"),
        ('{{"{{"}}', "{{"),
    ],
)
def test_placeholders_give_what_the_page_says(placeholder: str, given: JSON) -> None:
    (item,) = parse_resources([{"resource": "a", "method": "list", "query": {"asked": placeholder}}])[0]
    assert item.query is not None

    odd = {"ids": ["x", "y/z"], "@odata.id": "o", "a b": "ab", "a.b": "a.b"}
    resolved = item.query.resolve({"args": {"n": 7, "empty": "", **odd}})

    assert resolved.get("asked", UNDEFINED) == given


def test_the_rule_of_the_page_refuses_what_it_says() -> None:
    rule = json.loads(next(line for line in PAGE.splitlines() if line.startswith("    {")))["args_validation"]

    (failure,) = args.apply_rule(rule, {"since": "2024-02", "until": "2024-01"})

    assert failure.message == "since is after until"
