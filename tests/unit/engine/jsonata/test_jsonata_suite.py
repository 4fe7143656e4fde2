"""The official JSONata test suite, run through Ferryman's own module and so within its limits."""

import json
import time
from pathlib import Path

import pytest

from app.engine.errors import ExpressionSyntaxError
from app.engine.json_types import JSON, JsonObject
from app.engine.jsonata import expressions
from app.engine.paths import UNDEFINED
from app.engine.record_errors import ExpressionError

_SUITE = Path(__file__).parents[1] / "jsonata_suite"
_LINES = [json.loads(line) for line in (_SUITE / "cases.jsonl").read_text().splitlines()]
_CASES = {case["name"]: case for case in _LINES}
_DATASETS = {
    each["name"]: each["data"] for each in map(json.loads, (_SUITE / "datasets.jsonl").read_text().splitlines())
}
_LIMITED = [name for name, case in _CASES.items() if "timelimit" in case or "depth" in case]
_LONGEST_SECONDS = 2.0

# What Ferryman does otherwise than the reference, each with the reason.
_STOPPED = {
    "range-operator/case021": "an array of ten million items is beyond the limit",
    "range-operator/case024": "an array of ten million items is beyond the limit",
}
_NOTHING_FOR_NULL = {"function-distinct/distinct.3"}  # a function of ours can not tell the two apart
_OTHER_CODES = {
    "function-string/case019": "D1001",  # the division is refused before $string is
    "function-encodeUrl/case002": None,  # a lone surrogate is no text at all
    "function-encodeUrlComponent/case002": None,
    "tail-recursion/case002": "D1011",  # the reference counts frames on its stack
    "tail-recursion/case005": "D1011",
    "tail-recursion/case006": "U1006",
}


@pytest.mark.parametrize("group", sorted({name.split("/")[0] for name in _CASES}))
def test_every_case_of_the_suite_gives_what_the_reference_gives(group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # What a case gives is compared here: a busy machine may take longer for 200,000 items than a record may.
    monkeypatch.setitem(expressions._LONG, "timeout", 30.0)
    cases = [case for name, case in _CASES.items() if name.split("/")[0] == group and name not in _STOPPED]

    faults = [fault for case in cases if (fault := _fault(case))]

    assert faults == []


@pytest.mark.parametrize("name", _LIMITED)
def test_a_case_with_limits_ends_in_time(name: str) -> None:
    started = time.process_time()

    outcome = _outcome(_CASES[name])

    assert time.process_time() - started < _LONGEST_SECONDS
    if name in _STOPPED:
        assert outcome == ("error", "U1001"), _STOPPED[name]


def _fault(case: JsonObject) -> str | None:
    expected, found = _expected(case), _outcome(case)
    same = expected == found or (case.get("unordered") and _sorted(expected) == _sorted(found))
    return None if same else f"{case['name']}: expected {expected!r}, found {found!r}"


def _expected(case: JsonObject) -> tuple[str, JSON]:
    if case["name"] in _OTHER_CODES:
        return "error", _OTHER_CODES[case["name"]]
    if case["name"] in _NOTHING_FOR_NULL:
        return "result", UNDEFINED
    if "code" in case or "error" in case:
        return "error", case.get("code") or case["error"].get("code")
    return "result", UNDEFINED if case.get("undefinedResult") else case.get("result", UNDEFINED)


def _outcome(case: JsonObject) -> tuple[str, JSON]:
    data = _DATASETS[case["dataset"]] if "dataset" in case else case.get("data", UNDEFINED)
    try:
        return "result", expressions.parse(case["expr"]).evaluate(data, case.get("bindings"))
    except ExpressionSyntaxError as error:
        return "error", getattr(error.__cause__, "code", None)
    except ExpressionError as error:
        return "error", error.reason


def _sorted(outcome: tuple[str, JSON]) -> tuple[str, JSON]:
    kind, value = outcome
    return kind, sorted(value, key=repr) if isinstance(value, list) else value
