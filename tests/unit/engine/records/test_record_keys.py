"""What records are known by: read from a config, compared, and read off records."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.errors import Failure
from app.engine.integrations.config import parse_config
from app.engine.jobs import definition, planning
from app.engine.jobs.item_keys import find_key, list_job_keys
from app.engine.jobs.items import ResourceItem
from app.engine.json_types import JSON
from app.engine.records.keys import BY_ID, RecordKey
from app.engine.records.rows import read_id

CONNECTORS = Path(__file__).parents[4] / "app" / "catalog" / "connectors"


def key(id_path: JSON, default: JSON = None) -> RecordKey:
    raw: dict[str, Any] = {"base_url": "https://up.test", "resources": {"a": {"list": {"id_path": id_path}}}}
    config, failures = parse_config(raw if default is None else {**raw, "id_path": default})
    assert failures == []
    assert config is not None
    return config.find_method("a", "list").key


@pytest.mark.parametrize(
    ("id_path", "record", "id"),
    [
        ("order.id", {"order": {"id": 7}}, "7"),
        (["order_id", "line_no"], {"order_id": "17", "line_no": 3}, '["17",3]'),
        (["id"], {"id": 3}, "[3]"),
        (["a.b", "c"], {"a": {"b": "ü"}, "c": 1.5}, '["ü",1.5]'),
        (["a", "b"], {"a": 2**70, "b": 'x"'}, '[1180591620717411303424,"x\\""]'),
        (["a", "b"], {"a": 1}, None),
        (["a", "b"], {"a": 1, "b": None}, None),
        (["a", "b"], {"a": 1, "b": ""}, None),
        (["a", "b"], {"a": 1, "b": True}, None),
        (["a", "b"], {"a": 1, "b": {"c": 1}}, None),
        ([], {"id": 1}, None),
        (None, {"id": 1}, "1"),
    ],
)
def test_id_is_read_where_the_config_says(id_path: JSON, record: JSON, id: str | None) -> None:
    assert read_id(record, key(id_path)) == id


def test_ids_of_several_values_that_are_too_long_for_an_index_are_known_by_their_hash() -> None:
    found = read_id({"a": "x" * 300, "b": "y" * 300}, key(["a", "b"]))

    assert found is not None
    assert found.startswith("hash:")


_PARTS = st.lists(st.one_of(st.integers(), st.text(min_size=1, max_size=5)), min_size=2, max_size=2)


@given(_PARTS, _PARTS)
def test_ids_of_several_values_are_alike_only_where_all_values_are(one: list[JSON], other: list[JSON]) -> None:
    first, second = (read_id({"a": values[0], "b": values[1]}, key(["a", "b"])) for values in (one, other))

    assert (first == second) == (json.dumps(one) == json.dumps(other))


def test_only_a_methods_own_id_path_is_declared() -> None:
    assert key("uid").is_declared
    assert not key(None, default="uid").is_declared
    assert key(None, default="uid").paths == (("uid",),)


@pytest.mark.parametrize(
    ("id_path", "faults"),
    [
        (["a", 5], ["config.resources.a.list.id_path.1"]),
        (["", "a.b", None], ["config.resources.a.list.id_path.0", "config.resources.a.list.id_path.2"]),
    ],
)
def test_faulty_part_is_told_with_its_place(id_path: JSON, faults: list[str]) -> None:
    _, failures = parse_config({"base_url": "https://up.test", "resources": {"a": {"list": {"id_path": id_path}}}})

    assert [failure.path for failure in failures] == faults


@pytest.mark.parametrize(
    "one",
    [BY_ID, key(["a", "b.c"]), key([]), BY_ID.add_parents(["x"]), BY_ID.add_parents(["x"], may_lack_them=True)],
)
def test_key_comes_back_as_it_was_written(one: RecordKey) -> None:
    assert RecordKey.from_json(json.loads(json.dumps(one.to_json()))) == one.make_undeclared()


@pytest.mark.parametrize(
    ("one", "shown"),
    [
        (BY_ID, "'id'"),
        (key(["a", "b.c"]), "['a', 'b.c']"),
        (key([]), "its content"),
        (BY_ID.add_parents("x"), "['x', 'id']"),
    ],
)
def test_key_is_shown_as_it_is_configured(one: RecordKey, shown: str) -> None:
    assert str(one) == shown


def test_keys_of_a_job_are_those_of_what_it_keeps() -> None:
    config, _ = parse_config({"base_url": "https://up.test", "resources": {"a": {"list": {"id_path": "uid"}}}})
    assert config is not None
    job = [
        {"resource": "a", "method": "list", "persist": True},
        {"resource": "a", "name": "b", "method": "get", "id": "1", "persist": True},
        {"resource": "c", "method": "list"},
        {"resource": "d", "method": "unknown", "persist": True},
        {"resource": "crm/contacts", "method": "list"},
    ]

    found = list_job_keys(job, config)

    assert {resource: [RecordKey.from_json(one).name for one in keys] for resource, keys in found.items()} == {
        "a": ["id", "uid"],
        "crm/contacts": ["id"],
    }
    assert list_job_keys("faulty", config) == {}


JOBS = [
    (path.parent.name, json.loads(block))
    for path in sorted(CONNECTORS.glob("*/README.md"))
    for block in re.findall(r"```json\n(\[.*?)```", path.read_text(), re.DOTALL)
]


@pytest.mark.parametrize(("connector", "job"), JOBS, ids=[name for name, _ in JOBS])
def test_jobs_of_connectors_know_children_by_their_parents_too(connector: str, job: JSON) -> None:
    raw = json.loads((CONNECTORS / connector / "integration.json").read_text())["config"]
    config, failures = parse_config(raw)
    assert (config is not None, failures) == (True, [])
    assert config is not None
    items, faults = definition.parse_resources(job)
    plan = planning.plan(items)

    assert faults == []
    assert all((item.resource, item.method) in config.methods for item in items)
    assert all(find_key(item, plan, config).parents for item in items if item.depends_on)


def test_three_connectors_have_such_jobs() -> None:
    assert {name for name, _ in JOBS} >= {"github", "jira", "slack"}


def include(value: JSON, **more: Any) -> tuple[list[ResourceItem], list[Failure]]:
    child = {"resource": "lines", "method": "list", "depends_on": "orders", "include_from_parent": value, **more}
    return definition.parse_resources([{"resource": "orders", "method": "list"}, child])


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (["id", "owner.id"], ["_orders_id", "_orders_owner_id"]),
        ({"order": "id"}, ["order"]),
        ({"of": "{{ resources.orders.id }}"}, ["of"]),
        ([], []),
        (None, []),
    ],
)
def test_fields_of_parents_have_names(value: JSON, names: list[str]) -> None:
    items, failures = include(value)

    assert failures == []
    assert [field.name for field in items[1].included] == names


@pytest.mark.parametrize(
    ("value", "more", "path", "words"),
    [
        ("id", {}, "include_from_parent", "an array of paths"),
        ([5], {}, "include_from_parent.0", "dotted path"),
        ([""], {}, "include_from_parent.0", "path of a field"),
        (["id", "id"], {}, "include_from_parent", "another name"),
        ({"of": "{{context.key}}"}, {}, "include_from_parent.of", "one placeholder"),
        ({"of": "{{args.n:int}}"}, {}, "include_from_parent.of", "one placeholder"),
        ({"x" * 201: "id"}, {}, "include_from_parent", "at most 200"),
        (["id"], {"depends_on": None}, "include_from_parent", "depends_on"),
        ({"of": "{{resources.others.id}}"}, {}, "", "no resource that"),
    ],
)
def test_faulty_field_of_a_parent_is_told(value: JSON, more: dict[str, Any], path: str, words: str) -> None:
    _, failures = include(value, **more)

    assert [failure.path for failure in failures] == [f"resources.1.{path}".removesuffix(".")]
    assert words in failures[0].message


def test_child_may_not_take_a_name_that_its_parent_includes() -> None:
    _, failures = definition.parse_resources(
        [
            {"resource": "a", "method": "list"},
            {"resource": "b", "method": "list", "depends_on": "a", "include_from_parent": {"of": "id"}},
            {"resource": "c", "method": "list", "depends_on": "b", "include_from_parent": {"of": "id"}},
        ]
    )

    assert [failure.path for failure in failures] == ["resources.2.include_from_parent"]
