"""Filters of runs are the same as values, as a query and as JSON; what is wrong with them is told all at once."""

import pytest

from app.engine.errors import InvalidInputError
from app.engine.ids import new_id
from app.engine.status import RunStatus
from app.services.dashboard.run_filters import ArgFilter, RunFilters, read_filters, write_filters

JOB, ACCOUNT = new_id(), new_id()
EVERYTHING = {
    "status": ["failed", "stopped"],
    "has_errors": "true",
    "job": JOB,
    "account": ACCOUNT,
    "tenant": "t-1 & co",
    "args": ["user.plan=pro", "full=true"],
    "error": "http_500",
    "since": "2026-01-31T10:00:00.000Z",
    "until": "2026-02-01T10:00:00.000Z",
    "finished_from": "2026-01-31T11:00:00.000Z",
    "finished_to": "2026-02-01T11:00:00.000Z",
}


def test_filters_are_written_as_they_are_read() -> None:
    filters = read_filters(EVERYTHING)

    assert write_filters(filters) == EVERYTHING
    assert read_filters(write_filters(filters)) == filters
    assert filters.statuses == (RunStatus.FAILED, RunStatus.STOPPED)
    assert dict(filters.pairs)["tenant"] == "t-1 & co"


@pytest.mark.parametrize("values", [{}, {"status": "", "job": " ", "args": [""], "since": ""}], ids=["none", "empty"])
def test_empty_parameters_are_no_filters(values: dict[str, object]) -> None:
    assert read_filters(values) == RunFilters()


def test_statuses_may_stand_in_one_parameter() -> None:
    assert read_filters({"status": "stopped,failed"}) == read_filters({"status": ["failed", "stopped"]})


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("pro", ["pro"]),
        ("5", ["5", 5]),
        ('"5"', ["5"]),
        ("true", ["true", True]),
        ("null", ["null", None]),
        ("", [""]),
        ("[1]", ["[1]"]),
        ("1e999", ["1e999"]),
        ('"\\ud800"', ['"\\ud800"']),
        ('"\\u0000"', ['"\\u0000"']),
        ("NaN", ["NaN"]),
    ],
)
def test_value_of_an_arg_means_what_it_may_be(value: str, meant: list[object]) -> None:
    found = ArgFilter(path=("user", "plan"), value=value).alternatives

    assert found == [{"user": {"plan": one}} for each in meant for one in (each, [each])]


def test_every_fault_is_told_at_once() -> None:
    wrong = {
        "status": "done",
        "job": "7",
        "tenant": ["a", "b"],
        "args": ["plan", ".=1", 5],
        "since": "yesterday",
        "error": "x\0",
        "colour": "red",
    }

    with pytest.raises(InvalidInputError) as raised:
        read_filters(wrong)

    paths = sorted(failure.path for failure in raised.value.failures)
    assert paths == sorted(["status", "job", "tenant", "args", "args", "args", "since", "error", "colour"])


def test_filters_are_bounded() -> None:
    for name, value in (("args", ["a=1"] * 11), ("args", [".".join(["a"] * 21) + "=1"]), ("tenant", "t" * 1001)):
        with pytest.raises(InvalidInputError):
            read_filters({name: value})
