"""A query that is an expression: read with the job, kept whole parents for, evaluated for each request."""

import pytest

from app.engine.jobs import computations, planning
from app.engine.jobs.definition import parse_resources
from app.engine.json_types import JSON, JsonObject
from app.engine.jsonata import expressions
from app.engine.record_errors import ComputedQueryError, ExpressionError
from app.engine.runs import deletes

TEAMS: JsonObject = {"resource": "teams", "method": "list", "persist": True, "delete_tracking": "soft"}
SEEN: JsonObject = {
    "args": {"a": 1, "long": 9007199254740993},
    "context": {"api_key": "canary", "region": "eu"},
    "api_key": "canary",
}


@pytest.mark.parametrize(
    ("expression", "query"),
    [
        ("{'a': args.a, 'none': args.b, 'null': null}", {"a": 1, "null": None}),
        ("args.nothing", {}),
        ("null", {}),
        ("{'long': args.long}", {"long": "9007199254740993"}),
        ("{'key': context.api_key, 'bare': api_key, 'region': context.region}", {"key": "********", "region": "eu"}),
    ],
)
def test_query_is_what_the_expression_gives_and_no_secret_is_seen(expression: str, query: JSON) -> None:
    assert computations.compute_query(expressions.parse(expression), SEEN, frozenset({("region",)})) == query


def test_expression_that_gives_no_object_or_fails_is_an_error() -> None:
    with pytest.raises(ComputedQueryError, match="found a text"):
        computations.compute_query(expressions.parse("'text'"), SEEN)
    with pytest.raises(ExpressionError):
        computations.compute_query(expressions.parse("$error('no')"), SEEN)


def test_objects_that_an_expression_may_read_are_kept_whole() -> None:
    child = {"resource": "members", "method": "list", "depends_on": "teams", "query": "{'team': resources.teams.id}"}
    items, failures = parse_resources([TEAMS, child])

    assert failures == []
    assert planning.plan(items).kept["teams"] is None
    assert items[1].query is None


def test_expression_that_does_not_parse_is_a_fault_of_the_job() -> None:
    _, (failure,) = parse_resources([{**TEAMS, "query": "{'a': "}])

    assert failure.path == "resources.0.query"


def test_expression_that_reads_the_previous_run_makes_an_increment() -> None:
    items, _ = parse_resources([{**TEAMS, "query": "{'since': previous_run_date}"}])

    assert deletes.reads_increment(items[0])


@pytest.mark.parametrize(
    ("expression", "body"),
    [
        ("{'a': args.a, 'key': context.api_key, 'bare': api_key}", {"a": 1, "key": "********"}),
        ("[args.a]", [1]),
        ("'text'", "text"),
        ("args.nothing", None),
        ("null", None),
    ],
)
def test_body_is_what_the_expression_gives_and_no_secret_is_seen(expression: str, body: JSON) -> None:
    assert computations.compute_body(expressions.parse(expression), SEEN) == body


@pytest.mark.parametrize(
    ("body", "is_computed"),
    [("{'a': 1}", True), ("resources.teams", True), ('{"a": "{{args.a}}"}', False), ({"a": "args.a"}, False)],
)
def test_body_is_an_expression_when_it_is_a_text_without_placeholders(body: JSON, is_computed: bool) -> None:
    (item,), failures = parse_resources([{**TEAMS, "method": "create", "body": body}])

    assert failures == []
    assert (item.body_expression is not None, item.body is None) == (is_computed, is_computed)


def test_body_that_is_an_expression_keeps_whole_parents_and_makes_an_increment() -> None:
    child = {"resource": "members", "method": "create", "depends_on": "teams", "body": "resources.teams"}
    items, failures = parse_resources([TEAMS, child])
    increment, _ = parse_resources([{**TEAMS, "method": "search", "body": "{'since': previous_run_date}"}])

    assert failures == []
    assert planning.plan(items).kept["teams"] is None
    assert deletes.reads_increment(increment[0])


def test_body_that_does_not_parse_is_a_fault_of_the_job_and_an_empty_one_is_none() -> None:
    _, (failure,) = parse_resources([{**TEAMS, "body": "two words"}])
    (item,), _ = parse_resources([{**TEAMS, "body": ""}])

    assert failure.path == "resources.0.body"
    assert (item.body, item.body_expression) == (None, None)
