"""Requests that wait for upstreams are known by their path, however it is written."""

import pytest

from app.serving.upstream_requests import may_wait


@pytest.mark.parametrize(
    "line",
    [
        "GET /proxy/things?integrated_account_id=1",
        "GET /%70roxy/things",
        "GET /pro%78y/things",
        "GET http://ferryman/proxy/things?x=1",
        "POST /unified/crm/contacts",
        "DELETE /custom/a/b",
        "GET /prefix/proxy/things",
        "POST /sync-job/validate",
        "POST /prefix/sync-job/validate",
        "POST /integrated-account/refresh-credentials",
        "POST /integrated-account/bulk-delete",
        "PATCH /integrated-account/1",
        "PATCH /integrated-account/1/credentials",
        "PATCH /prefix/integrated-account/me",
        "DELETE /integrated-account/1?erase=true",
        "POST /webhook/test",
        "POST /sync-job-run?dry%5Frun=true",
        "POST /sync-job-run?dry_run=true",
    ],
)
def test_request_that_may_wait(line: str) -> None:
    assert may_wait(f"{line} HTTP/1.1\r\nHost: ferryman\r\n\r\n".encode())


@pytest.mark.parametrize(
    "line",
    [
        "GET /healthz",
        "POST /sync-job-run",
        "POST /webhook",
        "PATCH /webhook/1",
        "GET /integrated-account/1",
        "POST /integrated-account",
        "POST /integrated-account/token",
        "GET /webhook/test",
        "GET /sync-job-run?limit=1",
        "GET /sync-job?name=/proxy/",
        "GET /sync-job",
        "GET http://[",
        "nonsense",
        "",
    ],
)
def test_request_that_does_not(line: str) -> None:
    assert not may_wait(f"{line} HTTP/1.1\r\nX: /proxy/\r\n\r\n".encode())
