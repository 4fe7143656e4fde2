"""What an entry of the log tells of itself, and what it leaves open."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from app.engine.logs.entries import LoggedRun, RunEntry, expand_event_name
from app.engine.objects.environments import EnvironmentId

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RUN = LoggedRun(
    environment_id=EnvironmentId("e"),
    sync_job_run_id="run",
    sync_job_id="job",
    integrated_account_id="account",
    integration="helpdesk",
)
ENTRY = RunEntry(
    id="entry", run=RUN, webhook_id=None, sync_job_run_event="sync_job_run:record", timestamp=NOON, created_at=NOON
)


def entry(**changes: Any) -> RunEntry:
    return replace(ENTRY, **changes)


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ("created", "created"),
        ("started", "running"),
        ("rate_limited", "rate_limited"),
        ("completed", "completed"),
        ("failed", "failed"),
        ("stopped", "stopped"),
        ("updated", None),
        ("record", None),
        ("record_error", None),
    ],
)
def test_entry_tells_the_status_that_its_event_begins(event: str, status: str | None) -> None:
    assert entry(sync_job_run_event=expand_event_name(event)).status == status


@pytest.mark.parametrize(
    ("delivery", "is_successful"),
    [("delivered", True), ("dead_lettered", False), ("cancelled", False), ("pending", None), (None, None)],
)
def test_delivery_is_a_success_once_that_is_decided(delivery: str | None, is_successful: bool | None) -> None:
    assert entry(delivery_status=delivery).webhook_successful is is_successful


@pytest.mark.parametrize(
    ("resource", "method", "kind"),
    [
        ("crm/contacts", "list", "unified"),
        ("contacts", "list", "proxy"),
        ("crm/contacts", "transform", "transform"),
        ("all", "spool", "spool"),
        (None, None, None),
    ],
)
def test_entry_tells_what_brought_it(resource: str | None, method: str | None, kind: str | None) -> None:
    assert entry(resource=resource, method=method).sync_job_request_type == kind


def test_entry_says_its_errors_in_words() -> None:
    error = {"code": "http_500", "message": "broke", "status": 500}

    assert entry().logs == []
    assert entry(error=error, last_error="answered 503").logs == ["http_500: broke", "answered 503"]


def test_event_is_named_by_its_whole_name_or_by_its_end() -> None:
    assert expand_event_name("failed") == expand_event_name("sync_job_run:failed") == "sync_job_run:failed"
