import base64
import random
from typing import Any

import pytest

from app.engine.integrations.pagination import NextIs
from app.engine.json_types import JSON
from app.sources.exchange import origins
from app.sources.pagination import next_links

ITEMS = "https://api.test/v1/items"


@pytest.mark.parametrize(
    ("requested", "value", "followed"),
    [
        (ITEMS, "https://api.test/v1/items?page=2", "https://api.test/v1/items?page=2"),
        (ITEMS, "HTTPS://api.test/v1/items?page=2", "https://api.test/v1/items?page=2"),
        (ITEMS, "//api.test/v1/items?page=2", "https://api.test/v1/items?page=2"),
        (ITEMS, "?page=2", "https://api.test/v1/items?page=2"),
        (ITEMS, " ?page=2&page=3&x ", "https://api.test/v1/items?page=2&page=3&x"),
        (ITEMS, "items?page=2", "https://api.test/v1/items?page=2"),
        (ITEMS, "items?cursor=a%2Fb==", "https://api.test/v1/items?cursor=a%2Fb=="),
        (ITEMS, "items.json?page=2", "https://api.test/v1/items.json?page=2"),
        (ITEMS, "/v1/items?page[after]=2#top", "https://api.test/v1/items?page[after]=2"),
        (ITEMS, "/v1/items?$skiptoken=a b", "https://api.test/v1/items?$skiptoken=a%20b"),
        (ITEMS, "/v1/my items?page=2", "https://api.test/v1/my%20items?page=2"),
        (ITEMS, "/v1/m\u00fcll?\u00e9=\u00e9", "https://api.test/v1/m%C3%BCll?%C3%A9=%C3%A9"),
        (ITEMS, "/v1/items/page/2", "https://api.test/v1/items/page/2"),
        ("https://api.test/items", "/items/page/2", "https://api.test/items/page/2"),
        ("https://api.test/items/", "page/2", "https://api.test/items/page/2"),
        ("https://api.test/items", "items/page/2/", "https://api.test/items/page/2/"),
        (ITEMS, "../v2/items", "https://api.test/v2/items"),
        (ITEMS, "./items;after=2", "https://api.test/v1/items;after=2"),
    ],
)
def test_a_link_is_followed_relative_to_the_request(requested: str, value: str, followed: str) -> None:
    address = next_links.find_link(value, requested=requested)

    assert address is not None
    assert origins.follow(requested, address) == followed


@pytest.mark.parametrize(
    "value",
    [
        *["b", "2", "", "/abc+==", "/9j/4AAQSk==", "//8AAA==", "/", "/v1", "a/b", "users/123", "a?b", "?b", "a=b&c=d"],
        *["what is? a=b c", "/abc?", "other?a=b", "#top", "page-2", "page/two", "eyJpZCI6MX0=", "{\"a\": \"?b=c\"}"],
        *["//other.test/v1/items?page=2", "//[::1", "mailto:a@b.test", "2026-01-01T00:00:00+02:00", "https://", "?="],
        *[0, 17, 1.5, None, True, ["?page=2"], {"href": "?page=2"}],
    ],
)  # fmt: skip
def test_what_is_no_link_is_a_value(value: JSON) -> None:
    assert next_links.find_link(value, requested=ITEMS) is None


def test_no_random_base64_is_taken_for_a_link() -> None:
    drawn = random.Random(15)
    encoders = (base64.b64encode, base64.urlsafe_b64encode, base64.b85encode)
    cursors = [encoder(drawn.randbytes(drawn.randint(1, 40))).decode() for _ in range(3000) for encoder in encoders]

    taken = [cursor for cursor in cursors if next_links.find_link(cursor, requested=ITEMS) is not None]

    assert taken == []


@pytest.mark.parametrize(
    ("value", "next_is", "expected"),
    [
        ("https://api.test/?page=2", "value", None),
        ("?page=2", "value", None),
        ("next", "link", "next"),
        ("users/123", "link", "users/123"),
        (2, "link", "2"),
        (None, "link", None),
        ("b", "auto", None),
    ],
)
def test_an_integration_may_say_what_its_next_values_are(value: JSON, next_is: Any, expected: str | None) -> None:
    assert next_links.find_link(value, requested=ITEMS, next_is=NextIs(next_is)) == expected


@pytest.mark.parametrize(
    ("previous", "value", "kept"),
    [
        (None, "items?page=2", "items?page=2"),
        ("?page=2", "?page=3", "?page=3"),
        ("/v1/items/page/2", "/v1/items/page/3", "/v1/items/page/3"),
        ("/v1/items/page/2", "../page/3", "/v1/items/page/3"),
        ("sub/items?page=2", "items?page=3", "sub/items?page=3"),
        ("sub/items?page=2", "/v1/items?page=3", "/v1/items?page=3"),
        ("sub/items?page=2", "?page=3", "sub/items?page=3"),
        ("items?page=2", "../v2/items", "../v2/items"),
        ("https://api.test/v2/items?page=2", "?page=3", "https://api.test/v2/items?page=3"),
        ("https://api.test/v2/items?page=2", "opaque", "opaque"),
        ("opaque", "?page=3", "?page=3"),
        ("b", "c", "c"),
        ("?page=2", "https://[::1", "https://[::1"),
        (3, 4, 4),
    ],
)
def test_a_link_on_a_page_behind_a_link_is_relative_to_that_page(previous: JSON, value: JSON, kept: JSON) -> None:
    assert next_links.join_link(previous, value, requested=ITEMS) == kept
