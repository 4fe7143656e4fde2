"""Answers that take as long as their clients read are known by their path."""

import pytest

from app.serving.long_answers import is_long


@pytest.mark.parametrize(
    "line",
    [
        "GET /record/export?resource=tickets",
        "GET /prefix/record/export",
        "GET //record//export/",
        "GET /record/%65xport",
        "GET http://ferryman/record/export?x=1",
    ],
)
def test_an_export_is_long(line: str) -> None:
    assert is_long(f"{line} HTTP/1.1\r\nHost: ferryman\r\n\r\n".encode())


@pytest.mark.parametrize(
    "line", ["GET /record", "GET /record/export/1", "GET /export", "GET /?record/export", "", "GET"]
)
def test_other_requests_are_not(line: str) -> None:
    assert not is_long(f"{line} HTTP/1.1\r\n\r\n".encode())
