"""Paths of direct calls stay below an integration's base_url."""

import pytest

from app.engine.errors import InvalidInputError
from app.engine.passed_paths import checked


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("v1/users", "v1/users"),
        ("/v1/users/", "v1/users/"),
        ("projects/a%2Fb/issues", "projects/a%2Fb/issues"),
        ("calendars/primary:clear", "calendars/primary:clear"),
        ("urn:isbn:1", "urn:isbn:1"),
        ("files/..hidden/a..b/...", "files/..hidden/a..b/..."),
        ("a//b", "a//b"),
        ("", ""),
    ],
)
def test_paths_below_it_stay_as_they_are(path: str, sent: str) -> None:
    assert checked(path) == sent


@pytest.mark.parametrize(
    "path",
    [
        "..",
        "../admin",
        "v1/../../admin",
        "v1/./users",
        "v1/%2e%2E/admin",
        "v1%2f..%2fadmin",
        "v1/%252e%252e/admin",
        "v1\\..\\admin",
        "v1/..%5cadmin",
        "//evil.test/x",
        "%2F%2Fevil.test/x",
        "/\\evil.test",
        "\\\\evil.test",
        "http://evil.test/x",
        "https:/evil.test/x",
        "HTTP%3A%2F%2Fevil.test",
        "file:///etc/passwd",
    ],
)
def test_paths_that_lead_elsewhere_are_refused(path: str) -> None:
    with pytest.raises(InvalidInputError) as raised:
        checked(path)

    assert [failure.path for failure in raised.value.failures] == ["path"]
