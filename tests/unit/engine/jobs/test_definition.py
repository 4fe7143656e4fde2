import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.jobs.definition import parse_resources
from app.engine.jobs.items import ResourceItem

USERS = {"resource": "users", "method": "list"}
TICKETS = {"resource": "tickets", "method": "list"}


def item(**changes: Any) -> dict[str, Any]:
    return {**TICKETS, **changes}


def parsed(*raw: Any) -> list[ResourceItem]:
    items, failures = parse_resources(list(raw))
    assert failures == []
    return items


def faults(*raw: Any) -> dict[str, str]:
    return {failure.path: failure.message for failure in parse_resources(list(raw))[1]}


def test_an_item_is_read_whole() -> None:
    (read,) = parsed(
        {
            "resource": "tickets",
            "method": "update",
            "name": "close",
            "id": "{{args.id}}",
            "query": {"notify": "{{args.notify:bool}}"},
            "body": {"status": "closed"},
            "persist": True,
        }
    )

    assert (read.name, read.resource, read.method, read.persist) == ("close", "tickets", "update", True)
    assert read.id and read.id.resolve({"args": {"id": 7}}) == "7"
    assert read.query and read.query.resolve({"args": {"notify": "true"}}) == {"notify": True}
    assert read.body and not read.body.references
    assert read.references == {("args", "id"), ("args", "notify")}


def test_an_item_is_called_as_its_resource_and_kept_only_on_demand() -> None:
    (read,) = parsed(TICKETS)

    assert (read.name, read.persist, read.depends_on, read.loop_on) == ("tickets", False, None, None)


@pytest.mark.parametrize(
    "loop_on",
    [
        "user_ids",
        "args.user_ids",
        "{{args.user_ids}}",
        "{{ args.user_ids }}",
        " args.user_ids ",
        {"{ args.user_ids }": None},
        '{ "{ args.user_ids }": null }',
        "{ args.user_ids }",
    ],
    ids=json.dumps,
)
def test_every_form_of_loop_on_names_the_same_array(loop_on: Any) -> None:
    assert parsed(item(loop_on=loop_on))[0].loop_on == ("args", "user_ids")


@pytest.mark.parametrize(
    ("loop_on", "path"),
    [
        ("a.b", ("args", "a", "b")),
        ("resources", ("args", "resources")),
        ("context.project_ids", ("context", "project_ids")),
        ("args.groups.-1.ids", ("args", "groups", "-1", "ids")),
        ("args.groups[-1].$ids", ("args", "groups", "-1", "$ids")),
        ("{{ context.`a b`.@ids }}", ("context", "a b", "@ids")),
        ('{{args["a b"]}}', ("args", "a b")),
    ],
)
def test_a_loop_begins_at_the_scope_or_in_the_args(loop_on: str, path: tuple[str, ...]) -> None:
    assert parsed(item(loop_on=loop_on))[0].loop_on == path


def test_a_loop_may_read_an_array_of_the_parent() -> None:
    items = parsed(USERS, item(depends_on="users", loop_on="resources.users.team_ids"))

    assert items[1].loop_on == ("resources", "users", "team_ids")


def test_a_loop_over_the_parent_itself_is_what_depends_on_does_already() -> None:
    items = parsed(USERS, item(depends_on="users", loop_on="{{resources.users}}"))

    assert items[1].loop_on is None


@pytest.mark.parametrize("depends_on", ["people", "users", ["people"]])
def test_a_parent_is_named_by_its_name_or_its_only_resource(depends_on: Any) -> None:
    items = parsed({**USERS, "name": "people"}, item(depends_on=depends_on))

    assert items[1].depends_on == "people"


@pytest.mark.parametrize("depends_on", [None, "", []])
def test_an_empty_depends_on_is_none(depends_on: Any) -> None:
    assert parsed(item(depends_on=depends_on))[0].depends_on is None


def test_a_parent_may_stand_behind_its_child() -> None:
    assert parsed(item(depends_on="users"), USERS)[0].depends_on == "users"


def test_objects_of_all_ancestors_may_be_read_by_resource_and_by_name() -> None:
    query = {"a": "{{resources.users.id}}", "b": "{{resources.people.id}}", "c": "{{resources.tickets.id}}"}

    parsed(
        {**USERS, "name": "people"},
        item(depends_on="people"),
        {"resource": "comments", "method": "list", "depends_on": "tickets", "query": query},
    )


@pytest.mark.parametrize("raw", [None, {}, [], "users", 1], ids=repr)
def test_what_is_no_list_is_refused(raw: Any) -> None:
    items, failures = parse_resources(raw, "body.resources")

    assert items == []
    assert [failure.path for failure in failures] == ["body.resources"]


@pytest.mark.parametrize(
    ("changes", "path", "words"),
    [
        ({"resource": None}, "resource", "expected a text"),
        ({"resource": 5}, "resource", "'5'"),
        ({"resource": "crm/"}, "resource", "unified"),
        ({"resource": "a/b/c"}, "resource", "unified"),
        ({"resource": "{{args.resource}}"}, "resource", "placeholders"),
        ({"resource": "x" * 201}, "resource", "200 characters"),
        ({"name": 5}, "name", "expected a text"),
        ({"method": ""}, "method", "expected a text"),
        ({"id": True}, "id", "a boolean"),
        ({"id": "{{args.id:date}}"}, "id", "'date' is no cast"),
        ({"query": ["limit"]}, "query", "expected an object"),
        ({"query": {"a": [{"b": "{{x:date}}"}]}}, "query.a.0.b", "'date'"),
        ({"body": 5}, "body", "expected an object"),
        ({"persist": "yes"}, "persist", "true or false"),
        ({"loop_on": 5}, "loop_on", "expected the path"),
        ({"loop_on": {}}, "loop_on", "expected the path"),
        ({"loop_on": "args..ids"}, "loop_on", "expected the path"),
        ({"loop_on": "{{args.ids:json}}"}, "loop_on", "expected the path"),
        ({"loop_on": "args.ids args.others"}, "loop_on", "expected the path"),
        ({"loop_on": "args.ids[x]"}, "loop_on", "expected the path"),
        ({"depends_on": False}, "depends_on", "expected the name"),
        ({"depends_on": ["a", "b"]}, "depends_on", "expected the name"),
        ({"depends_on": "contacts"}, "depends_on", "there is no other"),
        ({"type": {}}, "type", "expected 'request'"),
        ({"recurse": 5}, "recurse", "expected an object"),
        ({"recurse": {"if": "{{x}}"}}, "recurse.config", "expected an object with"),
        ({"recurse": {"config": {"id": "1"}}}, "recurse.if", "expected a text"),
    ],
    ids=lambda value: json.dumps(value)[:40],
)
def test_a_wrong_field_is_refused_with_its_path(changes: dict[str, Any], path: str, words: str) -> None:
    found = faults(item(**changes))

    assert list(found) == [f"resources.0.{path}"]
    assert words in found[f"resources.0.{path}"]


def test_all_faults_come_at_once() -> None:
    found = faults("users", {"method": 1}, item(depends_on="nothing"), item(name="x", depends_on="x"))

    assert list(found) == [
        "resources.0",
        "resources.1.resource",
        "resources.1.method",
        "resources.2.depends_on",
        "resources.3.depends_on",
    ]


def test_an_id_may_be_a_number() -> None:
    (read,) = parsed(item(id=42))

    assert read.id and read.id.resolve({}) == "42"


def test_two_items_of_one_name_are_refused() -> None:
    assert "'tickets' like resources.0" in faults(TICKETS, TICKETS)["resources.1"]
    assert faults(TICKETS, item(name="more")) == {}


def test_an_ambiguous_parent_is_refused() -> None:
    found = faults({**USERS, "name": "a"}, {**USERS, "name": "b"}, item(depends_on="users"))

    assert "expected one of 'a', 'b'" in found["resources.2.depends_on"]


def test_a_cycle_is_named_once() -> None:
    found = faults(
        item(resource="x", depends_on="a"),
        item(resource="a", depends_on="b"),
        item(resource="b", depends_on="c"),
        item(resource="c", depends_on="a"),
    )

    assert found == {"resources.1.depends_on": "depends on itself: a → b → c → a"}


@pytest.mark.parametrize("template", ["{{resources.users.id}}", "{{resources}}", "{{args.x|resources.tickets.id}}"])
def test_a_placeholder_may_read_no_other_resource(template: str) -> None:
    found = faults(USERS, item(query={"x": template}))

    assert "is no resource that 'tickets' depends on" in found["resources.1"]


def test_a_long_chain_is_read_quickly_and_a_longer_one_refused() -> None:
    chain = [item(resource=f"r{n}", depends_on=f"r{n - 1}" if n else None) for n in range(1000)]

    assert faults(*chain) == {}
    assert "at most 1000" in faults(*chain, USERS)["resources"]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("{{args.x}}"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ["resource", "method", "name", "id", "query", "body", "loop_on", "depends_on", "persist", "type", "recurse"]
ITEMS = st.dictionaries(st.sampled_from(FIELDS), JSON_VALUES | st.sampled_from(["users", "tickets"]))


@given(JSON_VALUES | st.lists(ITEMS | JSON_VALUES, max_size=4))
def test_no_input_breaks_the_parser(raw: Any) -> None:
    parse_resources(raw)


def test_a_resource_of_a_unified_api_is_always_persisted() -> None:
    items, failures = parse_resources([{"resource": "crm/contacts", "method": "list", "delete_tracking": "soft"}])

    assert failures == []
    assert (items[0].persist, items[0].binding_paths) == (
        True,
        {("resources", "crm", "contacts"), ("resources", "crm/contacts")},
    )
