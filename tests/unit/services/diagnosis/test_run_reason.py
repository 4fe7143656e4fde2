"""A run says in one sentence how it is."""

from collections.abc import Sequence
from dataclasses import asdict, replace

import pytest

from app.engine.json_types import JsonObject
from app.engine.objects.runs import RunError, SyncJobRun
from app.engine.runs.books import Counters
from app.engine.status import RunStatus
from app.services.diagnosis.run_reason import write_reason
from app.services.diagnosis.waits import Wait, WaitKind
from tests.unit.services.service_fakes import FakeClock
from tests.unit.services.service_tables import run

NOW = FakeClock().now()
WAIT = Wait(kind=WaitKind.DAEMON, message="a daemon, and none is active")
DONE = run(status=RunStatus.COMPLETED, finished_at=NOW)
ERROR = RunError(
    id="e",
    sync_job_run_id="r",
    resource="users",
    method="list",
    code="http_500",
    message="m",
    details={},
    created_at=NOW,
)


def flawed(errors: int) -> SyncJobRun:
    stats: JsonObject = {"tickets": {"list": asdict(Counters(errors=errors))}}
    return replace(DONE, resource_stats=stats)


@pytest.mark.parametrize(
    ("found", "waits", "slower_than", "first_error", "expected"),
    [
        (
            run(error={"code": "books", "message": "m"}, status=RunStatus.FAILED),
            (),
            None,
            None,
            "It failed with books: m",
        ),
        (
            run(error={"code": "x", "message": "m", "resource": "users"}, status=RunStatus.FAILED),
            (WAIT,),
            None,
            None,
            "It failed with x: users: m",
        ),
        (run(), (WAIT,), 1.0, None, "It waits for a daemon, and none is active"),
        (DONE, (), None, None, "It completed without an error"),
        (flawed(1200), (), None, None, "It completed, and 1,200 requests or records failed"),
        (
            flawed(2),
            (),
            None,
            ERROR,
            "It completed, and 2 requests or records failed; the first with http_500: users: m",
        ),
        (run(), (), 1234.5, None, "It works, slower than usual: its last runs took 1,234.5 s"),
        (run(), (), None, None, "It works, and waits for nothing"),
    ],
)
def test_run_says_in_one_sentence_how_it_is(
    found: SyncJobRun,
    waits: Sequence[Wait],
    slower_than: float | None,
    first_error: RunError | None,
    expected: str,
) -> None:
    assert write_reason(found, waits, slower_than=slower_than, first_error=first_error) == expected
