from typing import Any

from app.engine.jobs.definition import parse_resources
from app.engine.jobs.planning import RunPlan, plan


def planned(*raw: dict[str, Any]) -> RunPlan:
    items, failures = parse_resources([{"method": "list", **item} for item in raw])
    assert failures == []
    return plan(items)


def names(items: Any) -> list[str]:
    return [item.name for item in items]


def test_parents_come_before_their_children() -> None:
    made = planned(
        {"resource": "comments", "depends_on": "tickets"},
        {"resource": "tickets", "depends_on": "users"},
        {"resource": "users"},
        {"resource": "teams"},
    )

    assert names(made.order) == ["users", "tickets", "comments", "teams"]
    assert names(made.roots) == ["users", "teams"]
    assert names(made.children_of("users")) == ["tickets"]
    assert names(made.children_of("comments")) == []
    assert names(made.ancestors_of("comments")) == ["tickets", "users"]
    assert names(made.ancestors_of("teams")) == []


def test_only_what_descendants_read_of_an_object_is_kept() -> None:
    made = planned(
        {"resource": "users", "name": "people"},
        {"resource": "tickets", "depends_on": "people", "query": {"user": "{{resources.users.id}}"}},
        {
            "resource": "comments",
            "depends_on": "tickets",
            "loop_on": "resources.tickets.parts",
            "body": "{{resources.people.team.name}} {{args.x}}",
        },
    )

    assert made.kept_fields("people") == {("id",), ("team", "name")}
    assert made.kept_fields("tickets") == {("parts",)}
    assert made.kept_fields("comments") == frozenset()


def test_the_whole_object_is_kept_when_a_descendant_reads_it_as_a_whole() -> None:
    made = planned(
        {"resource": "users"},
        {"resource": "tickets", "depends_on": "users", "body": {"user": "{{resources.users:json}}"}},
    )

    assert made.kept_fields("users") is None
