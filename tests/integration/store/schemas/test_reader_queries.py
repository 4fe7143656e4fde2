"""Queries of a reader: read-only, one statement, in its role."""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from app.engine.errors import InvalidInputError
from app.services.schemas.learner import SchemaLearner
from app.store.schemas.queries import ReaderQueries
from app.store.schemas.readers import EnvironmentReaders
from tests.integration.store.schemas.conftest import Writer


def take_all(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> tuple[Sequence[str], list[tuple[Any, ...]]]:
    return names, [tuple(row) for row in rows]


def ask(writer: Writer, statement: str) -> tuple[Sequence[str], list[tuple[Any, ...]]]:
    queries = ReaderQueries(writer.engine, EnvironmentReaders(writer.engine))
    role = queries.find_role(writer.environment)
    assert role is not None
    return queries.ask(statement, take_all, role=role, timeout_seconds=1)


def test_reader_asks_for_typed_columns(writer: Writer, learner: SchemaLearner) -> None:
    writer.write(writer.account(), [{"id": "1", "n": 7}])
    learner.run_turn()

    assert ask(writer, "select id, n + 1 as more from crm.contacts") == (["id", "more"], [("1", 8)])
    assert ask(writer, "select n from crm.contacts where n = 0") == ([], [])


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("select * from crm.absent", "does not exist"),
        ("select * from record", "permission denied"),
        ("delete from crm.contacts", "can not|cannot delete from view"),
        ("select 1; select 2", "multiple commands"),
        ("select pg_sleep(60)", "statement timeout"),
        ("selec", "syntax error"),
        ("", "."),
    ],
)
def test_refusal_is_a_sentence(writer: Writer, learner: SchemaLearner, statement: str, why: str) -> None:
    writer.write(writer.account(), [{"id": "1"}])
    learner.run_turn()

    with pytest.raises(InvalidInputError, match=why):
        ask(writer, statement)
