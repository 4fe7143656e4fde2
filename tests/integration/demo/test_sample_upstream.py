"""The sample upstream over real sockets."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import Message
from typing import Any

import pytest
from aiohttp import web

from app.demo.sample_data import SampleData
from app.demo.sample_upstream import API_KEY, NO_FAULTS, Faults, make_app

DATA = SampleData(user_count=7, ticket_count=250)


def ask(url: str, key: str = API_KEY) -> tuple[int, Message, Any]:
    request = urllib.request.Request(url, headers={"x-api-key": key})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.headers, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, json.load(error)


def pages(url: str) -> list[list[Any]]:
    cursor, found = "after-0", []
    while cursor:
        _, _, body = ask(f"{url}{'&' if '?' in url else '?'}cursor={cursor}")
        found.append(body["data"])
        cursor = body["next_cursor"]
    return found


@pytest.fixture
def upstream(serve: Callable[[web.Application], str]) -> str:
    return serve(make_app(DATA, NO_FAULTS))


def test_pages_hold_every_ticket_once(upstream: str) -> None:
    found = pages(f"{upstream}/tickets")

    assert [len(page) for page in found] == [100, 100, 50]
    assert [ticket["id"] for page in found for ticket in page] == [ticket["id"] for ticket in DATA.tickets]


def test_limit_makes_smaller_pages(upstream: str) -> None:
    assert [len(page) for page in pages(f"{upstream}/users?limit=3")] == [3, 3, 1]


def test_comments_of_every_ticket_add_up_to_what_stats_tell(upstream: str) -> None:
    found = [
        row for ticket in DATA.tickets for page in pages(f"{upstream}/tickets/{ticket['id']}/comments") for row in page
    ]

    holds = ask(f"{upstream}/stats")[2]["holds"]

    assert holds == {"users": 7, "tickets": 250, "comments": len({comment["id"] for comment in found})}
    assert len(found) == holds["comments"]


def test_updated_since_gives_only_later_tickets(upstream: str) -> None:
    since = DATA.tickets[-2]["updated_at"]

    assert pages(f"{upstream}/tickets?updated_since={since}") == [DATA.tickets[-2:]]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/tickets?cursor=99", 400),
        ("/tickets?limit=0", 400),
        ("/tickets?limit=many", 400),
        ("/tickets?updated_since=yesterday", 400),
        ("/tickets?updated_since=2026-01-01", 400),
        ("/tickets/none/comments", 404),
    ],
)
def test_bad_request_is_refused(upstream: str, path: str, status: int) -> None:
    assert ask(f"{upstream}{path}")[0] == status


@pytest.mark.parametrize("key", ["", "wrong"])
def test_wrong_key_is_refused(upstream: str, key: str) -> None:
    assert ask(f"{upstream}/users", key)[0] == 401


def test_hiccups_come_at_each_nth_request_and_pass(serve: Callable[[web.Application], str]) -> None:
    upstream = serve(make_app(DATA, Faults(hiccup_every=3, quota=0)))

    statuses = [ask(f"{upstream}/users")[0] for _ in range(7)]

    assert statuses == [200, 200, 503, 200, 200, 500, 200]
    assert ask(f"{upstream}/stats")[2]["requests"] == {"200": 5, "503": 1, "500": 1}


def test_rate_limit_refuses_until_the_pause_is_over(serve: Callable[[web.Application], str]) -> None:
    now = [100.0]
    upstream = serve(make_app(DATA, Faults(hiccup_every=0, quota=2), now=lambda: now[0]))

    answers = [ask(f"{upstream}/users") for _ in range(3)]
    now[0] += 1.0
    after_the_pause = ask(f"{upstream}/users")

    assert [status for status, _, _ in answers] == [200, 200, 429]
    assert answers[2][1]["Retry-After"] == "1"
    assert [headers["x-ratelimit-remaining"] for _, headers, _ in answers] == ["1", "0", "0"]
    assert answers[2][1]["x-ratelimit-reset"] == "1"
    assert after_the_pause[0] == 200
