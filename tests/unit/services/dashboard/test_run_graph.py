"""The graph of a run, its books as equations, its sentence and its command."""

import shlex
from dataclasses import asdict, replace

import pytest

from app.engine.runs.books import Counters
from app.engine.status import ErrorHandling
from app.services.dashboard.run_books import write_books
from app.services.dashboard.run_graph import draw_graph
from app.services.dashboard.run_pages import write_replay
from tests.unit.services.service_tables import run

RESOURCES = [
    {"resource": "teams", "method": "list"},
    {"resource": "users", "method": "list", "depends_on": "teams", "id": "{{resources.teams.id}}", "persist": True},
    {"resource": "orders", "method": "list", "depends_on": "teams", "id": "{{resources.teams.id}}"},
    {
        "type": "transform",
        "name": "shaped",
        "depends_on": "orders",
        "config": {"expression": "records"},
        "persist": True,
    },
]


def stats(**counters: int) -> dict[str, object]:
    shown = {"status": "completed", "expected": None, "warnings": {}, "reading": {}}
    return {**asdict(Counters(**counters)), **shown}


def test_each_resource_stands_one_layer_below_its_parent() -> None:
    graph = draw_graph(run(resources=RESOURCES))

    places = {node.name: (node.layer, node.row) for node in graph.nodes}
    assert places == {"teams": (0, 0.5), "users": (1, 0.0), "orders": (1, 1.0), "shaped": (2, 1.0)}
    assert [(parent.name, child.name) for parent, child in graph.edges] == [
        ("teams", "users"),
        ("teams", "orders"),
        ("orders", "shaped"),
    ]
    assert (graph.layers, graph.rows) == (3, 2)
    assert {node.name: node.call for node in graph.nodes}["shaped"] == "transform"


@pytest.mark.parametrize("resources", [[], "none", [{"method": 5}]])
def test_run_whose_resources_can_not_be_read_has_no_graph(resources: object) -> None:
    graph = draw_graph(run(resources=resources))

    assert (graph.nodes, graph.layers, graph.rows) == ((), 1, 1)


def test_books_say_where_each_record_has_gone() -> None:
    counted = {"users": {"list": stats(fetched=10, created=3, updated=2, unchanged=4, repeated=1)}}
    found = run(resources=RESOURCES, resource_stats=counted, webhook_id=None)

    (books,) = write_books(found, draw_graph(found))

    (equation,) = books.equations
    assert [(term.sign, term.name, term.count) for term in equation.left] == [("+", "fetched", 10)]
    assert [term.count for term in equation.right] == [3, 2, 4, 1, 0]
    assert (equation.holds, books.imbalance, books.is_proven) == (True, None, True)


def test_books_of_a_webhook_have_two_equations_and_show_what_does_not_balance() -> None:
    counters = {"fetched": 5, "deleted": 2, "tombstones": 1, "queued": 6, "delivered": 4, "unproven": 1}
    found = run(resources=RESOURCES, resource_stats={"users": {"list": stats(**counters)}}, webhook_id="w")

    (books,) = write_books(found, draw_graph(found))

    first, second = books.equations
    assert [(term.sign, term.count) for term in first.left] == [("+", 5), ("+", 2), ("-", 1)]
    assert (first.holds, second.holds, books.is_proven) == (True, False, False)
    assert books.imbalance == "queued (6) is not delivered + dead_lettered (4)"


def test_resource_that_is_kept_nowhere_has_no_equation() -> None:
    found = run(resources=RESOURCES, resource_stats={"teams": {"list": stats(fetched=5)}})

    (books,) = write_books(found, draw_graph(found))

    assert (books.equations, books.imbalance) == ((), None)


def test_command_creates_the_same_run_in_a_shell() -> None:
    args = {"since": "it's; rm -rf $HOME", "n": 5}
    plain = run(args=args, webhook_id=None, daemon_group_key="eu")
    special = replace(plain, webhook_id="w", error_handling=ErrorHandling.FAIL_FAST, ignore_previous_run=True)

    words = shlex.split(write_replay(plain))

    assert words[:5] == ["ferryman", "run", "create", plain.sync_job_id, plain.integrated_account_id]
    assert words[words.index("--args") + 1] == '{"since": "it\'s; rm -rf $HOME", "n": 5}'
    assert words[words.index("--group") + 1] == "eu"
    assert "--group" not in shlex.split(write_replay(replace(plain, daemon_group_key=None)))
    assert shlex.split(write_replay(special))[-6:] == [
        *("--webhook", "w", "--error-handling", "fail_fast", "--ignore-previous-run", "--follow")
    ]
