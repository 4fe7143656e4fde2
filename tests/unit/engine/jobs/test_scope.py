from typing import Any

import pytest

from app.engine.jobs import scope
from app.engine.jobs.definition import parse_resources
from app.engine.jobs.planning import RunPlan, plan
from app.engine.json_types import JSON, JsonObject
from app.engine.record_errors import LoopError

USERS = {"resource": "users", "method": "list"}


def run_scope(**args: JSON) -> JsonObject:
    return scope.build_run_scope(args=args, context={}, tenant_id="t", previous_run_date=None, run={"id": "r"})


def planned(*raw: dict[str, Any]) -> RunPlan:
    items, failures = parse_resources([{"method": "list", **item} for item in raw])
    assert failures == []
    return plan(items)


def test_the_accounts_context_stands_behind_the_rest() -> None:
    context = {"subdomain": "acme", "args": "no", "resources": "no", "tenant_id": "no", "previous_run_date": "no"}

    seen = scope.build_run_scope(args={"x": 1}, context=context, tenant_id="t", previous_run_date=None, run={"id": "r"})

    assert seen == {
        "subdomain": "acme",
        "args": {"x": 1},
        "context": context,
        "tenant_id": "t",
        "sync_job_run": {"id": "r"},
        "resources": {},
    }


def test_the_previous_run_date_is_there_once_there_was_a_run() -> None:
    date = "2026-01-05T10:00:00.000Z"

    seen = scope.build_run_scope(args={}, context={}, tenant_id="t", previous_run_date=date, run={})

    assert seen["previous_run_date"] == date


def test_a_resource_without_a_loop_is_asked_once() -> None:
    made = planned(USERS)

    assert scope.list_root_elements(made.order[0], run_scope()) == [{}]
    assert scope.build_element_scope(made.order[0], made, {}, run_scope()) == run_scope()


def test_a_loop_asks_once_per_value_and_binds_its_path_to_it() -> None:
    made = planned({**USERS, "loop_on": "user_ids"})
    whole = run_scope(user_ids=["a", None], other=1)

    elements = scope.list_root_elements(made.order[0], whole)

    seen = [scope.build_element_scope(made.order[0], made, element, whole)["args"] for element in elements]
    assert seen == [{"user_ids": "a", "other": 1}, {"user_ids": None, "other": 1}]
    assert whole["args"]["user_ids"] == ["a", None]


def test_a_loop_inside_an_array_leaves_its_neighbours() -> None:
    made = planned({**USERS, "loop_on": "args.groups.-1.ids"})
    whole = run_scope(groups=[{"ids": [1]}, {"ids": [2, 3], "name": "b"}])

    elements = scope.list_root_elements(made.order[0], whole)

    seen = scope.build_element_scope(made.order[0], made, elements[1], whole)
    assert seen["args"]["groups"] == [{"ids": [1]}, {"ids": 3, "name": "b"}]


def test_an_empty_loop_asks_nothing() -> None:
    assert scope.list_root_elements(planned({**USERS, "loop_on": "ids"}).order[0], run_scope(ids=[])) == []


@pytest.mark.parametrize(
    ("args", "found"),
    [({}, "nothing"), ({"ids": None}, "null"), ({"ids": "a"}, "a text"), ({"ids": {"a": 1}}, "an object")],
)
def test_a_loop_over_no_array_is_an_error(args: dict[str, Any], found: str) -> None:
    (users,) = planned({**USERS, "loop_on": "ids"}).order

    with pytest.raises(LoopError, match=f"loop_on of 'users' expects an array at 'args.ids', found {found}"):
        scope.list_root_elements(users, run_scope(**args))


def test_a_child_is_asked_once_per_object_and_sees_all_its_ancestors() -> None:
    made = planned(
        {**USERS, "name": "people"},
        {"resource": "tickets", "depends_on": "people"},
        {
            "resource": "comments",
            "depends_on": "tickets",
            "query": {"u": "{{resources.users.id}}", "t": "{{resources.tickets.id}}", "n": "{{resources.people.at.x}}"},
        },
    )
    people, tickets, comments = made.order

    (one,) = scope.list_child_elements(
        tickets, made, people, {}, {"id": 1, "at": {"x": 2, "y": 3}, "big": "…"}, run_scope()
    )
    (two,) = scope.list_child_elements(comments, made, tickets, one, {"id": 4, "big": "…"}, run_scope())

    assert two == {"parents": {"people": {"id": 1, "at": {"x": 2}}, "tickets": {"id": 4}}}
    seen = scope.build_element_scope(comments, made, two, run_scope())["resources"]
    assert seen["tickets"] == {"id": 4}
    assert seen["users"] == seen["people"] == {"id": 1, "at": {"x": 2}}


def test_a_childs_loop_keeps_one_value_each_and_never_the_array_again() -> None:
    made = planned(
        {"resource": "teams"},
        {
            "resource": "members",
            "depends_on": "teams",
            "loop_on": "resources.teams.user_ids",
            "query": {"team": "{{resources.teams.id}}"},
        },
    )
    teams, members = made.order

    elements = scope.list_child_elements(members, made, teams, {}, {"id": 1, "user_ids": ["a", "b"]}, run_scope())

    assert elements == [
        {"parents": {"teams": {"id": 1, "user_ids": "a"}}, "loop": "a"},
        {"parents": {"teams": {"id": 1, "user_ids": "b"}}, "loop": "b"},
    ]
    seen = scope.build_element_scope(members, made, elements[1], run_scope())
    assert seen["resources"]["teams"] == {"id": 1, "user_ids": "b"}


def test_a_child_may_loop_over_an_argument() -> None:
    made = planned({"resource": "teams"}, {"resource": "members", "depends_on": "teams", "loop_on": "roles"})
    teams, members = made.order

    elements = scope.list_child_elements(members, made, teams, {}, {"id": 1}, run_scope(roles=["x", "y"]))

    assert elements == [{"parents": {"teams": {}}, "loop": "x"}, {"parents": {"teams": {}}, "loop": "y"}]


def test_an_object_without_the_array_of_a_loop_is_an_error() -> None:
    made = planned(
        {"resource": "teams"}, {"resource": "members", "depends_on": "teams", "loop_on": "resources.teams.ids"}
    )
    teams, members = made.order

    with pytest.raises(LoopError, match=r"'resources\.teams\.ids', found nothing"):
        scope.list_child_elements(members, made, teams, {}, {"id": 1}, run_scope())


@pytest.mark.parametrize(
    ("record", "kept"),
    [
        ({"a": {"b": 1, "c": 2}, "d": [1, 2]}, {"a": {"b": 1}, "d": [1, 2]}),
        ({"a": None, "d": "text"}, {"a": None, "d": "text"}),
        ({"a": {}, "x": 1}, {"a": {}}),
        ("text", "text"),
        ([1], [1]),
    ],
)
def test_a_parent_is_kept_as_far_as_it_is_read(record: JSON, kept: JSON) -> None:
    query = {"b": "{{resources.users.a.b:undefined}}", "d": "{{resources.users.d.0:undefined}}"}
    made = planned(USERS, {"resource": "tickets", "depends_on": "users", "query": query})
    users, tickets = made.order

    (element,) = scope.list_child_elements(tickets, made, users, {}, record, run_scope())

    assert element == {"parents": {"users": kept}}


def test_a_parent_is_kept_whole_when_it_is_read_whole_and_in_parts() -> None:
    query = {"user": "{{resources.users.a:json}}", "b": "{{resources.users.a.b}}"}
    made = planned(USERS, {"resource": "tickets", "depends_on": "users", "query": query})
    users, tickets = made.order
    record = {"a": {"b": 1, "c": 2}}

    (element,) = scope.list_child_elements(tickets, made, users, {}, record, run_scope())

    assert element["parents"]["users"] == record == {"a": {"b": 1, "c": 2}}
