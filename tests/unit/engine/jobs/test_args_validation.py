"""A job's own rule for its arguments."""

from typing import Any

import pytest

from app.engine.jobs import args

RULE = 'args.since > args.until ? {"message": "since is after until"}'


@pytest.mark.parametrize("rule", [None, "", RULE, "null", "false", "0", '""', "args.nothing"])
def test_arguments_pass_a_rule_that_gives_nothing(rule: str | None) -> None:
    assert args.apply_rule(rule, {"since": "2024-01-01", "until": "2024-02-01"}) == []


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (RULE, "since is after until"),
        ('"no " & args.until', "no 2024-01-01"),
        ("true", "returns a boolean without a message"),
        ('{"message": 5}', "returns an object without a message"),
        ("args.(", "args_validation failed"),
        ("$uppercase(5)", "args_validation failed"),
        ("($loop := function($n){$loop($n + 1)}; $loop(0))", "args_validation failed"),
    ],
)
def test_what_a_rule_gives_is_the_fault_of_the_arguments(rule: str, words: str) -> None:
    (failure,) = args.apply_rule(rule, {"since": "2024-02-01", "until": "2024-01-01"})

    assert failure.path == "args"
    assert words in failure.message


@pytest.mark.parametrize(("rule", "count"), [(None, 0), ("", 0), (RULE, 0), ("args.(", 1)])
def test_a_rule_that_is_no_jsonata_is_a_fault(rule: Any, count: int) -> None:
    found = args.check_rule(rule)

    assert [failure.path for failure in found] == ["args_validation"] * count
