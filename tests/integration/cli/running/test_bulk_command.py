"""`ferryman run bulk` counts first, asks, and then follows what was confirmed."""

import json

import pytest
from click.testing import CliRunner, Result

from app.cli.main import main
from tests.integration.cli.running.test_run_commands import PlannedApi, api  # noqa: F401  # a fixture

ACTION = {"id": "b-1", "kind": "stop", "status": "counted", "counted": 1200, "done": 0, "skipped": 0, "failed": 0}
FINISHED = ACTION | {"status": "finished", "done": 1198, "skipped": 2}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.cli.running.bulk._POLL_SECONDS", 0.0)


def ferryman(api: PlannedApi, *words: str, typed: str = "") -> Result:  # noqa: F811
    url = f"http://127.0.0.1:{api.server.server_port}"
    environment = {"FERRYMAN_URL": url, "FERRYMAN_TOKEN": "t"}
    return CliRunner(env=environment).invoke(main, ["run", "bulk", *words], input=typed)


def test_runs_that_match_are_counted_confirmed_and_followed(api: PlannedApi) -> None:  # noqa: F811
    counting = ACTION | {"status": "counting"}
    acting = ACTION | {"status": "acting"}
    api.answers = [(201, counting), (200, ACTION), (200, acting), (200, acting), (200, FINISHED)]

    result = ferryman(api, "stop", "--status", "running", "--arg", "plan=pro", "--tenant", "t", typed="y\n")

    assert result.exit_code == 0, result.output
    assert "1,200 runs match" in result.output
    assert "1,198 of 1,200 runs were stopped; there was nothing to do for 2 by then." in result.output
    asked = [(method, path) for method, path, _, _ in api.requests]
    assert asked == [
        ("POST", "/bulk-action"),
        ("GET", "/bulk-action/b-1"),
        ("POST", "/bulk-action/b-1/confirm"),
        ("GET", "/bulk-action/b-1"),
        ("GET", "/bulk-action/b-1"),
    ]
    assert api.requests[0][2] == {
        "kind": "stop",
        "filters": {"status": ["running"], "args": ["plan=pro"], "tenant": "t"},
    }


def test_nobody_is_asked_with_yes_and_what_failed_is_the_exit_code(api: PlannedApi) -> None:  # noqa: F811
    api.answers = [(201, ACTION), (200, ACTION), (200, FINISHED | {"failed": 1, "done": 1199, "skipped": 0})]

    result = ferryman(api, "stop", "--yes", "--json")

    assert (result.exit_code, json.loads(result.stdout)["failed"]) == (1, 1)


def test_person_who_says_no_cancels(api: PlannedApi) -> None:  # noqa: F811
    api.answers = [(201, ACTION), (200, ACTION | {"status": "cancelled"})]

    result = ferryman(api, "stop", typed="n\n")

    assert result.exit_code == 1
    assert api.requests[-1][:2] == ("POST", "/bulk-action/b-1/cancel")


@pytest.mark.parametrize(
    ("words", "answer"), [(("--json",), ACTION), ((), ACTION | {"counted": 0})], ids=["json", "none"]
)
def test_json_without_yes_counts_only_and_nothing_is_nothing(
    api: PlannedApi,  # noqa: F811
    words: tuple[str, ...],
    answer: dict[str, object],
) -> None:
    api.answers = [(201, answer)]

    result = ferryman(api, "retry_errors", *words)

    assert result.exit_code == 0
    assert len(api.requests) == 1
    assert words or "No run matches" in result.output
