"""A run tried: what is asked, what is shown, and what is left alone."""

from datetime import timedelta
from typing import Any

import pytest

from app.engine.errors import InvalidInputError
from app.engine.jobs import planning
from app.engine.jobs.definition import parse_resources
from app.engine.json_types import JsonObject
from app.engine.record_errors import SourceError
from app.engine.runs.increments import LowerBounds
from app.services.runs.dry_runs import DryRuns
from app.services.runs.requests import RunDraft, RunRequest
from tests.unit.services.service_fakes import PENDING, FakeClock, FakeSource, page
from tests.unit.services.service_setting import setting
from tests.unit.services.service_tables import ENVIRONMENT, NOON

TICKETS: JsonObject = {"resource": "tickets", "method": "list"}
COMMENTS: JsonObject = {
    **{"resource": "comments", "method": "list", "depends_on": "tickets"},
    "query": {"ticket": "{{resources.tickets.id}}"},
}


class Previous:
    """Knows that a run was at noon."""

    def read_lower_bounds(self, draft: RunDraft) -> LowerBounds:
        return LowerBounds(run=NOON, own={"late": NOON + timedelta(hours=1)})


def try_out(source: FakeSource, *resources: JsonObject, account: str = "account", **args: Any) -> JsonObject:
    items, failures = parse_resources(list(resources))
    assert failures == []
    draft = RunDraft(
        id="run",
        environment_id=ENVIRONMENT,
        request=RunRequest(sync_job_id="job", integrated_account_id=account),
        args=args,
        args_hash=b"",
        sync_job={},
        resources=resources,
        items=planning.plan(items).order,
        version=3,
        group_key=None,
        queue="queue",
        overlap_seconds=0,
        mutex_key=None,
        idempotency=None,
    )
    runs = DryRuns(
        contexts=setting().contexts(),
        lower_bounds=Previous().read_lower_bounds,
        source=source,
        clock=FakeClock(),
        timeout_seconds=0.01,
    )
    return runs.try_out(draft)


def shown(found: JsonObject, name: str) -> JsonObject:
    return next(one for one in found["resources"] if one["name"] == name)


def test_one_page_of_one_root_is_all_there_is() -> None:
    source = FakeSource().script(page({"id": 1}))

    found = try_out(source, {**TICKETS, "query": {"since": "{{previous_run_date}}"}})

    assert source.calls[0].query["since"].startswith("2026")
    assert shown(found, "tickets")["first_page"]["records"] == [{"id": 1}]
    assert found["estimate"] == {
        **{"requests_at_least": 1, "is_exact": True},
        **{"requests_per_second": None, "seconds_at_least": None},
    }


def test_each_root_asks_from_its_own_bound() -> None:
    source = FakeSource().script(page({"id": 1}))

    try_out(source, *({**TICKETS, "name": name, "query": "{'since': previous_run_date}"} for name in ("early", "late")))

    assert [call.query["since"][11:16] for call in source.calls] == ["12:00", "13:00"]


def test_a_child_is_shown_by_its_parents_first_record_and_not_asked_for() -> None:
    source = FakeSource().script(page({"id": 1}, {"id": 2}))

    found = try_out(source, TICKETS, COMMENTS)

    assert [call.resource for call in source.calls] == ["tickets"]
    assert shown(found, "comments")["request"]["url"] == "https://up.test/comments?ticket=1"
    assert (found["estimate"]["requests_at_least"], found["estimate"]["is_exact"]) == (3, False)


def test_a_child_of_a_record_that_lacks_a_field_is_an_error() -> None:
    found = try_out(FakeSource().script(page({"key": 1})), TICKETS, COMMENTS)

    assert shown(found, "comments")["error"]["code"] == "placeholder"


@pytest.mark.parametrize(
    ("answer", "code"), [(None, "timeout"), (SourceError("http_500", "broke", status=500), "http_500")]
)
def test_what_gives_no_page_is_told_and_its_children_are_not_known(answer: Exception | None, code: str) -> None:
    found = try_out(FakeSource().script(answer), TICKETS, COMMENTS)

    assert shown(found, "tickets")["error"]["code"] == code
    assert shown(found, "comments")["request"] is None


def test_a_loop_over_nothing_asks_nothing() -> None:
    source = FakeSource().script(page())

    found = try_out(source, {**TICKETS, "loop_on": "args.ids"}, ids=[])

    assert (source.calls, found["estimate"]["requests_at_least"]) == ([], 0)


def test_a_run_that_nobody_could_work_on_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="deleted"):
        try_out(FakeSource().script(PENDING), TICKETS, account="gone")
