"""Placeholders of a base URL decide no more than their place allows."""

import pytest

from app.engine.json_types import JSON
from app.engine.record_errors import SourceError
from app.engine.templating import base_urls, placeholders


def resolved(template: str, value: JSON) -> str:
    scope = {"x": value}
    url, query = base_urls.resolve_base_url(placeholders.parse(template), {**scope, "context": scope}, key="base_url")
    return f"{url}?{query}" if query else url


@pytest.mark.parametrize(
    ("template", "value", "url"),
    [
        ("https://{{context.x}}.example.com/v1/", "acme", "https://acme.example.com/v1"),
        ("https://{{x}}.example.com", "acme-2", "https://acme-2.example.com"),
        ("https://{{x}}.example.com", 42, "https://42.example.com"),
        ("https://api-{{x}}.example.com", "eu", "https://api-eu.example.com"),
        ("https://{{x?:www}}.example.com", "eu", "https://eu.example.com"),
        ("https://{{y?:www}}.example.com", "eu", "https://www.example.com"),
        ("https://{{x}}/v1", "api.example.com", "https://api.example.com/v1"),
        ("https://{{x}}/v1", "api.example.com:8443", "https://api.example.com:8443/v1"),
        ("http://up.test:{{x}}/v1", 8080, "http://up.test:8080/v1"),
        ("{{x}}://up.test/v1", "https", "https://up.test/v1"),
        ("{{x}}", "https://acme.example.com", "https://acme.example.com"),
        ("{{x}}", " https://acme.example.com/ ", "https://acme.example.com"),
        ("{{x}}/v2", "http://acme.example.com:81/api/", "http://acme.example.com:81/api/v2"),
        ("{{x}}?v=1", "http://[::1]:81/api/", "http://[::1]:81/api?v=1"),
        ("{{y?:https://api.example.com/v1}}", None, "https://api.example.com/v1"),
        ("https://u{{x}}:p{{x}}@up.test", "a/b@c:d", "https://ua%2Fb%40c%3Ad:pa%2Fb%40c%3Ad@up.test"),
        ("https://up.test/{{x}}/v1", "a b/c?d#e", "https://up.test/a%20b/c%3Fd%23e/v1"),
        ("https://up.test?key={{x}}&v=1", "a&b=c", "https://up.test?key=a%26b%3Dc&v=1"),
        ("https://up.test/a b/?v=%2F", None, "https://up.test/a%20b?v=%2F"),
    ],
)
def test_a_value_in_its_place_is_taken(template: str, value: JSON, url: str) -> None:
    assert resolved(template, value) == url


HOSTS = ["attacker/#", "attacker.test/", "a.b", "a@b", "a:b", "a?b", "a#b", "a\\b", "a\tb", "a b", "", "\u00e9", "%2f"]
OTHERS: list[JSON] = [None, {"a": 1}, ["a", "b"], 1.5, "a" * 64, "\uff0e"]
PLACES = {
    "https://{{context.x}}.example.com": [*HOSTS, *OTHERS],
    "https://api.{{context.x}}": HOSTS,
    "https://{{context.x}}": [
        "attacker/#",
        "a@b",
        "a:b",
        "a?b",
        "a\\b",
        "",
        "a b",
        "a:1:2",
        "-a",
        ".a",
        {"a": 1},
        "a" * 300,
    ],
    "https://up.test:{{context.x}}": ["80@evil.test", "80/", "", "a", "123456", "99999", "0", "-1"],
    "{{context.x}}://up.test": ["file", "https://evil.test/?", "javascript", "", "ftp"],
    "{{context.x}}/v1": [
        *(
            "up.test",
            "//up.test",
            "ftp://up.test",
            "https://",
            "https:///x",
            "https://a@up.test",
            "https://u:p@up.test",
        ),
        *("https://up.test#x", "https://up.test/#", "https://up.test?x", "https://up.test\\@evil.test", "https://a b"),
        *("https://up.test:99999", "https://up.test:0", "https://up\u3002test", "javascript:alert(1)", "", {"a": 1}, 5),
        *("https://[::1", "https://up.test/a\tb", "https://up.test/a b"),
    ],
    "{{context.x}}.example.com/v1": ["https://acme", "acme"],
    "{{context.x}}:8080": ["https://acme.test"],
}


@pytest.mark.parametrize(
    ("template", "value"), [(place, value) for place, values in PLACES.items() for value in values], ids=ascii
)
def test_a_value_that_would_lead_elsewhere_is_an_error_that_does_not_show_it(template: str, value: JSON) -> None:
    with pytest.raises(SourceError) as caught:
        resolved(template, value)

    assert "base_url" in caught.value.message
    assert not isinstance(value, str) or len(value) < 4 or value not in caught.value.message
    assert caught.value.code == "request"
    assert (
        template.endswith(("com/v1", "8080"))
        or "does not resolve" in caught.value.message
        or "'context.x'" in caught.value.message
    )


@pytest.mark.parametrize(
    ("template", "host"),
    [
        ("https://api.example.com:8443/v1", "api.example.com:8443"),
        ("https://User:pw@API.example.com/v1", "api.example.com"),
        ("https://{{x}}.example.com", "*.example.com"),
        ("https://{{x}}.eu.example.com:{{y}}", "*.eu.example.com:*"),
        ("https://api-{{x}}.example.com", "*.example.com"),
        ("https://{{x}}.{{y}}.example.com", "*.example.com"),
        ("{{x?:https://api.example.com/v1}}", "api.example.com"),
        ("https://{{x?:api.example.com}}", "api.example.com"),
        ("https://{{x}}.co.uk", None),
        ("https://{{x}}.example.co.uk", "*.example.co.uk"),
        ("https://{{x}}.com", None),
        ("https://api.{{x}}", None),
        ("https://api.{{x}}.com", None),
        ("https://{{x}}", None),
        ("{{x}}", None),
        ("{{x}}/v1", None),
        ("{{x?:nothing}}", None),
    ],
)
def test_the_hosts_that_a_template_names_itself(template: str, host: str | None) -> None:
    assert base_urls.find_implied_host(placeholders.parse(template)) == host
