"""Names of columns: folded, not reserved, short enough, each once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.schemas.columns import SYSTEM_COLUMNS
from app.engine.schemas.names import LONGEST_NAME, RESERVED, fold_name, is_name, name_column


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("price", "price"),
        ("createdAt", "createdat"),
        ("Größe", "grosse"),
        ("Straße 5", "strasse_5"),
        ("価格", "__"),
        ("2nd", "_2nd"),
        ("", "_"),
        ('a"b', "a_b"),
        ("a'b; drop table x", "a_b__drop_table_x"),
        ("a\x00b", "a_b"),
        ("select", "select_"),
        ("ORDER", "order_"),
        ("ctid", "ctid_"),
        ("sequence", "sequence_"),
        ("Account_ID", "account_id_"),
    ],
)
def test_key_is_folded_to_a_name_that_needs_no_quotes(key: str, name: str) -> None:
    assert name_column(key, ()) == name


def test_colliding_keys_are_numbered() -> None:
    taken: list[str] = []
    for key in ("a-b", "a.b", "A B", "a_b_2"):
        taken.append(name_column(key, taken))

    assert taken == ["a_b", "a_b_2", "a_b_3", "a_b_2_2"]


def test_long_names_that_begin_alike_differ() -> None:
    names = [name_column("x" * 200 + end, ()) for end in ("a", "b")]

    assert len(set(names)) == 2
    assert all(len(name) == LONGEST_NAME and name.startswith("x" * 54) for name in names)


def test_suffix_is_kept_where_the_name_is_cut() -> None:
    name = name_column("x" * 200, (), suffix="text")

    assert len(name) == LONGEST_NAME
    assert name.endswith("__text")


def test_reserved_word_with_a_suffix_is_not_reserved() -> None:
    assert name_column("order", (), suffix="text") == "order__text"


@given(st.lists(st.text() | st.sampled_from([*RESERVED]), max_size=20), st.sampled_from(["", "text", "timestamptz"]))
def test_each_key_has_a_valid_name_of_its_own(keys: list[str], suffix: str) -> None:
    taken: list[str] = []
    for key in keys:
        taken.append(name_column(key, taken, suffix=suffix))

    assert len(set(taken)) == len(keys)
    assert all(is_name(name) and name not in SYSTEM_COLUMNS for name in taken)


@given(st.text())
def test_folding_a_name_changes_nothing(text: str) -> None:
    assert fold_name(fold_name(text)) == fold_name(text)
