"""What daemons say to commands that they do not obey."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from celery import Celery, signals
from celery.worker import state as worker_state
from celery.worker.control import Panel

from workers import commands

KEY = "k" * 32


@dataclass(frozen=True)
class Begun:
    """A task that a thread works on."""

    id: str


@pytest.fixture(autouse=True)
def panel() -> Iterator[None]:
    before = dict(Panel.data)
    yield
    Panel.data.clear()
    Panel.data.update(before)


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> Begun:
    task = Begun("begun")
    monkeypatch.setattr(worker_state, "active_requests", {task})
    return task


def command(name: str, **arguments: Any) -> Any:
    return Panel.data[name](None, **arguments)


@pytest.mark.parametrize("key", ["", KEY], ids=["without a key", "with a key"])
def test_all_commands_but_those_that_ask_are_refused_in_words_and_counted(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("FERRYMAN_MESSAGE_KEY", key)
    refused: list[str] = []

    def note(exc: Exception, **_: object) -> None:
        refused.append(str(exc))

    commands.install(Celery(set_as_current=False))
    signals.task_rejected.connect(note)
    names = sorted(set(Panel.data) - commands._ASKING - ({"revoke"} if key else set()))
    answers = {name: command(name, state="x", n=1) for name in names}

    assert {"shutdown", "pool_grow", "pool_shrink", "add_consumer", "rate_limit"} <= set(names)
    assert all(list(answer) == ["error"] and len(answer["error"]) > 20 for answer in answers.values())
    assert "--concurrency" in answers["pool_grow"]["error"]
    assert refused == ["another command"] * len(names)


def test_what_has_begun_is_not_revoked_and_nothing_is_terminated(monkeypatch: pytest.MonkeyPatch, begun: Begun) -> None:
    monkeypatch.setenv("FERRYMAN_MESSAGE_KEY", KEY)
    monkeypatch.setattr(worker_state, "revoked", set())
    commands.install(Celery(set_as_current=False))

    answers = [
        command("revoke", task_id="begun"),
        command("revoke", task_id=["waits", "begun"]),
        command("revoke", task_id="waits", terminate=True),
    ]

    assert ["ferryman run stop" in answer["error"] for answer in answers] == [True] * 3
    assert "has begun" in answers[0]["error"]
    assert worker_state.revoked == set()


@pytest.mark.parametrize("task_id", ["waits", ["waits"]])
def test_what_waits_is_revoked_where_there_is_a_key(
    monkeypatch: pytest.MonkeyPatch, begun: Begun, task_id: object
) -> None:
    monkeypatch.setenv("FERRYMAN_MESSAGE_KEY", KEY)
    Panel.data["revoke"] = lambda _state, ids: {"ok": ids}

    commands.install(Celery(set_as_current=False))

    assert command("revoke", task_id=task_id, signal="SIGKILL") == {"ok": ["waits"]}
