"""A query that is an expression: read with the job, kept whole parents for, evaluated for each request."""

import pytest

from app.engine import computed_queries, deletes, expressions, planning
from app.engine.definition import parse_resources
from app.engine.errors import ComputedQueryError, ExpressionError
from app.engine.json_types import JSON, JsonObject

TEAMS: JsonObject = {"resource": "teams", "method": "list", "persist": True, "delete_tracking": "soft"}
SEEN: JsonObject = {"args": {"a": 1}, "context": {"api_key": "canary", "region": "eu"}, "api_key": "canary"}


@pytest.mark.parametrize(
    ("expression", "query"),
    [
        ("{'a': args.a, 'none': args.b, 'null': null}", {"a": 1, "null": None}),
        ("args.nothing", {}),
        ("null", {}),
        ("{'key': context.api_key, 'bare': api_key, 'region': context.region}", {"key": "********", "region": "eu"}),
    ],
)
def test_query_is_what_the_expression_gives_and_no_secret_is_seen(expression: str, query: JSON) -> None:
    assert computed_queries.evaluated(expressions.parse(expression), SEEN) == query


def test_expression_that_gives_no_object_or_fails_is_an_error() -> None:
    with pytest.raises(ComputedQueryError, match="found a text"):
        computed_queries.evaluated(expressions.parse("'text'"), SEEN)
    with pytest.raises(ExpressionError):
        computed_queries.evaluated(expressions.parse("$error('no')"), SEEN)


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

    assert not deletes.was_complete("teams", planning.plan(items), {}, is_increment=True)
