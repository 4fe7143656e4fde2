"""The moves between statuses are data: SQL is built of them, and the document draws them."""

import ast
import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import pytest

import app.store
from app.engine.status import MOVES, AccountStatus, DaemonStatus, DeliveryStatus, ResourceStatus, RunStatus, UnitStatus
from app.store.tables.statuses import any_of, origins

_STORE = Path(next(iter(app.store.__path__)))
_DOCUMENT = _STORE.parents[1] / "docs" / "run-lifecycle.md"
_MACHINES: dict[str, type[StrEnum]] = {
    "run": RunStatus,
    "resource": ResourceStatus,
    "unit": UnitStatus,
    "delivery": DeliveryStatus,
}
_KINDS: tuple[type[StrEnum], ...] = (*MOVES, DaemonStatus, AccountStatus)
_WORDS = {status.value for kind in _KINDS for status in kind}
# A key of a unit's frontier, which holds the elements that failed.
_FRONTIER_KEY = re.compile(r"(->|-) 'failed'")


@pytest.mark.parametrize("machine", _MACHINES)
def test_document_draws_the_moves_that_are_allowed(machine: str) -> None:
    allowed = {(str(origin), str(target)) for target, froms in MOVES[_MACHINES[machine]].items() for origin in froms}

    assert set(_drawn_arrows(machine)) == allowed


@pytest.mark.parametrize("kind", MOVES, ids=lambda kind: kind.__name__)
def test_every_status_has_its_moves(kind: type[StrEnum]) -> None:
    assert set(MOVES[kind]) == set(kind)


def test_origins_are_those_of_the_table_or_some_of_them() -> None:
    assert origins(UnitStatus.CANCELLED) == "('blocked', 'idle', 'ready', 'leased')"
    assert origins(UnitStatus.READY, UnitStatus.BLOCKED) == "('blocked')"


def test_move_that_is_not_allowed_is_no_statement() -> None:
    with pytest.raises(ValueError, match="no move from done to leased"):
        origins(UnitStatus.LEASED, UnitStatus.DONE)


def test_statuses_stand_in_the_order_of_their_declaration() -> None:
    assert any_of({RunStatus.RATE_LIMITED, RunStatus.CREATED}) == "('created', 'rate_limited')"


def test_no_statement_writes_a_status_by_hand() -> None:
    """Migrations do: they stay what they were."""
    found = {
        f"{path.relative_to(_STORE)}:{line}: {word}"
        for path in _STORE.rglob("*.py")
        if "versions" not in path.parts
        for line, sql in _texts(path)
        for word in re.findall(r"'(\w+)'", _FRONTIER_KEY.sub("", sql))
        if word in _WORDS
    }

    assert found == set()


def _drawn_arrows(machine: str) -> Iterator[tuple[str, str]]:
    table = _DOCUMENT.read_text().split(f"\n| {machine} |", 1)[1].split("\n\n", 1)[0]
    for arrow in re.findall(r"^\| ([a-z_, ]+) → ([a-z_]+) \|", table, re.MULTILINE):
        yield from ((origin, arrow[1]) for origin in arrow[0].split(", "))


def _texts(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
