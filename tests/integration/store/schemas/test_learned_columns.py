"""The learner on real logs: every value counts, none leaves Postgres, and what is declared goes before."""

import os
from typing import Any

import pytest
from sqlalchemy import Engine

from app.services.schemas.learner import SchemaLearner
from app.services.schemas.shares import Share
from app.store.schemas.written_values import WrittenValues
from tests.integration.store.schemas.conftest import Writer, make_learner

MANY = 900_000 if os.environ.get("PROOFS") == "long" else 3_000


@pytest.mark.parametrize(
    ("values", "columns"),
    [
        ([1, 2**63 - 1], [("a", "bigint")]),
        ([1, 2**63], [("a", "numeric")]),
        ([2**200], [("a", "numeric")]),
        ([1, 1.5], [("a", "double precision")]),
        ([1, "x"], [("a", "text")]),
        ([True, "x"], [("a", "text")]),
        ([1, {"b": 1}], [("a", "jsonb")]),
        ([[1], []], [("a", "jsonb")]),
        ([None], []),
        (["2026-11-30", "30.11.2026", "2026-11-30T10:00:00Z"], [("a", "text")]),
        (["01234"], [("a", "text")]),
    ],
)
def test_type_follows_from_all_values(
    writer: Writer, learner: SchemaLearner, values: list[Any], columns: list[tuple[str, str]]
) -> None:
    writer.write(writer.account(), [{"a": value, "k": True} for value in values])

    learner.run_turn()

    assert writer.shapes() == [*columns, ("k", "bool")]


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("", "_"),
        ('a"b', "a_b"),
        ("a'b", "a_b"),
        ("a\ufffdb", "a_b"),
        ("Größe", "grosse"),
        ("価格", "__"),
        ("select", "select_"),
        ("remote_id", "remote_id_"),
        ("xmin", "xmin_"),
        ("x%sy:z", "x_sy_z"),
        ("n" * 200, f"{'n' * 54}_"),
    ],
)
def test_each_key_has_a_column_that_shows_its_values(
    writer: Writer, learner: SchemaLearner, key: str, name: str
) -> None:
    writer.write(writer.account(), [{key: "shown"}])

    learner.run_turn()

    (column,) = writer.schema().columns
    assert column.name == name or (len(column.name) == 63 and column.name.startswith(name))
    assert writer.rows(f"select {column.name} from crm.contacts") == [("shown",)]


def test_wider_column_is_added_beside_one_that_does_not_fit(writer: Writer, learner: SchemaLearner) -> None:
    account = writer.account()
    for value in (1, "12 EUR", {"amount": 12}):
        writer.write(account, [{"id": str(value), "price": value}])
        learner.run_turn()

    assert writer.shapes()[1:] == [("price", "bigint"), ("price__text", "text"), ("price__jsonb", "jsonb")]
    assert writer.rows("select price, price__text, price__jsonb from crm.contacts order by sequence") == [
        (1, "1", 1),
        (None, "12 EUR", "12 EUR"),
        (None, None, {"amount": 12}),
    ]


def test_key_that_appears_late_is_learned(writer: Writer, learner: SchemaLearner) -> None:
    account = writer.account()
    for start in range(0, MANY, 10_000):
        writer.write(account, [{"id": str(number)} for number in range(start, min(MANY, start + 10_000))])
    writer.write(account, [{"id": "late", "late": 1}])

    while learner.run_turn():
        pass

    assert writer.shapes() == [("id", "text"), ("late", "bigint")]


def test_two_thousand_columns_are_bounded(writer: Writer, learner: SchemaLearner) -> None:
    writer.write(writer.account(), [{f"key{number}": number for number in range(2000)}])

    learner.run_turn()

    schema = writer.schema()
    assert (len(schema.columns), schema.left_out) == (1000, 1000)
    assert len(writer.rows("select * from crm.contacts")[0]) == 1006


def test_key_that_goes_leaves_its_column(writer: Writer, learner: SchemaLearner) -> None:
    account = writer.account()
    for record in ({"id": "1", "gone": 1}, {"id": "1"}):
        writer.write(account, [record])
        learner.run_turn()

    assert writer.shapes() == [("gone", "bigint"), ("id", "text")]
    assert writer.rows("select gone from crm.contacts") == [(None,)]


def test_record_that_is_no_object_has_no_columns_and_stops_nobody(writer: Writer, learner: SchemaLearner) -> None:
    account = writer.account()
    writer.write(account, [{"id": "1", "a": 1}])
    writer.write(account, ["text", [1], None], resource="odd")

    assert learner.run_turn() is False

    assert writer.shapes() == [("a", "bigint"), ("id", "text")]


def test_accounts_of_an_integration_share_a_schema(writer: Writer, learner: SchemaLearner) -> None:
    for key in ("a", "b"):
        writer.write(writer.account(), [{key: 1}])

    learner.run_turn()

    assert sorted(writer.shapes()) == [("a", "bigint"), ("b", "bigint")]


def test_another_leader_goes_on_where_the_last_one_died(writer: Writer, engine: Engine, learner: SchemaLearner) -> None:
    account = writer.account()
    writer.write(account, [{"a": 1}])
    learner.run_turn()
    writer.write(account, [{"b": 1}])

    make_learner(engine).run_turn()

    assert writer.shapes() == [("a", "bigint"), ("b", "bigint")]
    assert WrittenValues(engine).list_unlearned(skipped=[], limit=10) == []


def test_small_share_leaves_most_of_the_time_to_others(writer: Writer, engine: Engine) -> None:
    account, rests = writer.account(), []
    share = Share(pause=rests.append)
    learner = make_learner(engine, share)
    writer.write(account, [{"a": 1}])
    learner.run_turn()
    writer.write(account, [{"a": 1}])

    learner.run_turn()

    assert share.is_small
    assert all(rest > 0 for rest in rests)


DECLARED = {
    "type": "object",
    "properties": {
        "amount": {"type": ["number", "null"]},
        "born": {"type": "string", "format": "date"},
        "seen": {"type": "string", "format": "date-time"},
        "zip": {"type": "string"},
        "count": {"type": "integer"},
        "tags": {"type": "array"},
        "free": {},
        "either": {"anyOf": [{"type": "string"}]},
    },
}


def test_declared_types_are_the_integrations(writer: Writer, learner: SchemaLearner) -> None:
    account = writer.account(config={"resources": {"contacts": {"schema": DECLARED}}})
    writer.write(account, [{"amount": "12.50", "born": "2026-11-30", "seen": "2026-11-30", "zip": 1234, "free": 1}])

    learner.run_turn()

    assert writer.shapes() == [
        ("zip", "text"),
        ("born", "date"),
        ("seen", "timestamptz"),
        ("tags", "jsonb"),
        ("count", "bigint"),
        ("amount", "numeric"),
        ("free", "bigint"),
    ]
    ((amount, born, zip_code),) = writer.rows("select amount, born, zip from crm.contacts")
    assert (str(amount), born.isoformat(), zip_code) == ("12.50", "2026-11-30", "1234")


def test_text_that_a_declared_column_does_not_read_is_in_a_wider_one(writer: Writer, learner: SchemaLearner) -> None:
    account = writer.account(config={"resources": {"contacts": {"schema": DECLARED}}})
    for born in ("2026-11-30", "30.11.2026", "Nov 30"):
        writer.write(account, [{"id": born, "born": born}])
        learner.run_turn()

    assert ("born__text", "text") in writer.shapes()
    assert [name for name, _ in writer.shapes()].count("born__text") == 1
    rows = writer.rows("select cast(born as text), born__text from crm.contacts order by sequence")
    assert rows == [("2026-11-30", "2026-11-30"), (None, "30.11.2026"), (None, "Nov 30")]
