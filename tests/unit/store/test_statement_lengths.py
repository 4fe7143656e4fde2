"""Statements are short enough for psycopg to remember how it has read them."""

import importlib
import pkgutil

import pytest
from psycopg import _queries
from sqlalchemy import TextClause

import app.store
from app.store.db.autocommit import sql_of

_MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(app.store.__path__, "app.store.")
    if not module.ispkg and ".migrations." not in module.name
)


def test_modules_are_found() -> None:
    assert len(_MODULES) > 50


@pytest.mark.parametrize("name", _MODULES)
def test_no_statement_is_read_anew_at_each_use(name: str) -> None:
    found = vars(importlib.import_module(name))
    lengths = {key: len(sql_of(value)) for key, value in found.items() if isinstance(value, TextClause)}
    assert {key: length for key, length in lengths.items() if length > _queries.MAX_CACHED_STATEMENT_LENGTH} == {}
