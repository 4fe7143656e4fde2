"""Where an increment begins: at the start of the last completed run, on the upstream's clock, less an overlap."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from app.engine.json_types import JSON
from tests.support.http_server import Request, Response
from tests.support.upstream import Upstream, reply
from tests.support.workspace import Sync, Workspace, listed

INCREMENT = listed("users", query={"since": "{{previous_run_date:undefined}}", "of": "{{args.of:undefined}}"})


def moment(text: JSON) -> datetime:
    return datetime.fromisoformat(str(text))


def lists_nothing(upstream: Upstream, *, clock_is_ahead_by: timedelta = timedelta()) -> None:
    def answer(request: Request) -> Response:
        date = format_datetime(datetime.now(UTC) + clock_is_ahead_by, usegmt=True)
        return reply({"data": [], "next_cursor": None}, headers={"Date": date})

    upstream.answers("/users", answer)


def asked_since(upstream: Upstream) -> list[str | None]:
    return [request.query.get("since") for request in upstream.asked("/users")]


@pytest.fixture
def sync(workspace: Workspace, upstream: Upstream) -> Sync:
    return workspace.sync(upstream.url, [INCREMENT])


def test_begins_at_the_upper_bound_of_the_last_completed_run_with_these_args_less_the_overlap(
    sync: Sync, upstream: Upstream
) -> None:
    lists_nothing(upstream)

    first = sync.run(args={"of": "a"})
    second = sync.run(args={"of": "a"})
    sync.run(args={"of": "b"})
    sync.run(args={"of": "a"}, ignore_previous_run=True)

    assert asked_since(upstream) == [None, second["previous_run_date"], None, None]
    bound = moment(first["upper_bound"])
    assert moment(second["previous_run_date"]) == bound - timedelta(seconds=120)
    assert abs(bound - moment(first["started_at"])) < timedelta(seconds=2)


@pytest.mark.parametrize("hours", [-1, 1])
def test_the_upstreams_clock_counts(sync: Sync, upstream: Upstream, hours: int) -> None:
    lists_nothing(upstream, clock_is_ahead_by=timedelta(hours=hours))

    run = sync.run()

    skew = moment(run["upper_bound"]) - moment(run["started_at"])
    assert abs(skew - timedelta(hours=hours)) < timedelta(seconds=2)


@pytest.mark.parametrize("days", [-400, 30000])
def test_an_absurd_date_is_no_clock(sync: Sync, upstream: Upstream, days: int) -> None:
    lists_nothing(upstream, clock_is_ahead_by=timedelta(days=days))

    run = sync.run()

    assert run["upper_bound"] == run["started_at"]


def test_without_a_date_the_runs_own_start_counts(sync: Sync, upstream: Upstream) -> None:
    upstream.answers("/users", reply({"data": [], "next_cursor": None}, headers={"Date": "some day"}))

    first = sync.run(overlap_seconds=0)
    second = sync.run(overlap_seconds=0)

    assert first["upper_bound"] is None
    assert second["previous_run_date"] == first["started_at"]


def test_the_job_chooses_the_overlap_and_a_run_may_choose_another(sync: Sync, upstream: Upstream) -> None:
    lists_nothing(upstream)
    sync.api.patch(f"/sync-job/{sync.job_id}", {"overlap_seconds": 600})

    assert sync.run()["overlap_seconds"] == 600
    assert sync.run(overlap_seconds=30)["overlap_seconds"] == 30


def test_a_run_that_did_not_complete_moves_nothing(sync: Sync, upstream: Upstream) -> None:
    lists_nothing(upstream)
    first = sync.run()
    upstream.answers("/users", reply({"error": "no"}, 403))
    assert sync.run(error_handling="fail_fast")["status"] == "failed"
    lists_nothing(upstream)

    third = sync.run()

    assert moment(third["previous_run_date"]) == moment(first["upper_bound"]) - timedelta(seconds=120)
