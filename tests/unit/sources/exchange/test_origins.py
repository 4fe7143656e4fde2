import pytest

from app.engine.record_errors import SourceError
from app.sources.exchange import origins

BASE = "https://api.test/v1/things?x=1"


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("https://api.test/v2?a=%2F#part", "https://api.test/v2?a=%2F"),
        ("https://API.test:443/v2", "https://API.test:443/v2"),
        ("/v2?a=b", "https://api.test/v2?a=b"),
        ("?page=2", "https://api.test/v1/things?page=2"),
        ("/a b/\u00e9%20?q=%2F", "https://api.test/a%20b/%C3%A9%20?q=%2F"),
        (" more ", "https://api.test/v1/more"),
        ("http://api.test/v2", "https://api.test/v2"),
    ],
)
def test_an_address_on_the_same_origin_is_followed(reference: str, expected: str) -> None:
    assert origins.follow(BASE, reference) == expected


@pytest.mark.parametrize(
    "reference",
    [
        "https://other.test/v2",
        "//other.test/v2",
        "https://api.test:8443/",
        "https://api.test.evil.test/",
        "https://api.test@evil.test/",
        "http://api.test:8080/",
        "ftp://api.test/",
        "javascript:alert(1)",
        "https://[::1",
        "https://api.test:port/",
    ],
)
def test_any_other_address_is_refused(reference: str) -> None:
    with pytest.raises(SourceError) as caught:
        origins.follow(BASE, reference)

    assert caught.value.code == "request"


def test_a_plain_http_origin_may_move_to_https() -> None:
    assert origins.follow("http://api.test/", "https://api.test/v2") == "https://api.test/v2"
