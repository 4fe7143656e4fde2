"""Upstream APIs over HTTP, and what stands for them in unit tests, do what ``app.services.ports.Source`` says."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

import pytest

from app.engine.integrations.config import parse_config
from app.engine.json_types import JSON
from app.engine.record_errors import SourceError
from app.services.ports import PageCall, PlainAnswer, Source
from app.sources.http_source import HttpSource
from tests.integration.sources.raw_upstream import Upstream, reply
from tests.support.patience import LONGEST_SECONDS
from tests.unit.services.service_fakes import FakeSource, page

PAGING: dict[str, Any] = {
    "format": "cursor",
    "config": {"cursor_path": "next", "cursor_param": "cursor", "limit_param": "limit", "limit": 1},
}
TWO_PAGES = ([{"id": 1}], [{"id": 2}])


@dataclass
class Subject:
    """An upstream with a list of two pages, or one that refuses."""

    source: Source
    call: PageCall
    refuse: Callable[[], object]
    count_requests: Callable[[], int]

    def read(self, submit: Callable[[PageCall], "Future[Any]"]) -> list[list[JSON]]:
        """Read the list to its end."""
        first = submit(self.call).result(timeout=LONGEST_SECONDS)
        assert first.leads_on
        second = submit(replace(self.call, cursor=first.next_cursor)).result(timeout=LONGEST_SECONDS)
        assert not second.leads_on
        return [first.records, second.records]


def _call(base_url: str) -> PageCall:
    config, failures = parse_config({"base_url": base_url, "response_path": "data", "pagination": PAGING})
    assert not failures
    assert config is not None
    return PageCall(
        account_id="a", config=config, context={}, resource="things", method="list", query={"state": "open"}
    )


def _fake() -> Subject:
    source = FakeSource()
    source.script(page({"id": 1}, cursor={"cursor": "two"}), page({"id": 2}))
    source.waiting = 1

    def refuse() -> None:
        source.plain = SourceError("http_500", "refused", status=500)
        source.replace_script(source.plain)

    return Subject(source, _call("https://up.test"), refuse, lambda: len(source.calls))


@pytest.fixture(params=["fake", "real"])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    if request.param == "fake":
        yield _fake()
        return
    upstream: Upstream = request.getfixturevalue("upstream")
    source: HttpSource = request.getfixturevalue("source")
    first, second = TWO_PAGES
    upstream.answer = lambda asked: reply(
        {"data": second} if ("cursor", "two") in asked.query else {"data": first, "next": "two"}
    )

    def refuse() -> None:
        upstream.answer = lambda _: reply({}, status=400)

    yield Subject(source, _call(upstream.url), refuse, lambda: len(upstream.received))


def test_list_is_read_page_by_page(subject: Subject) -> None:
    assert subject.read(subject.source.submit) == [*TWO_PAGES]


def test_open_list_gives_the_same_pages(subject: Subject) -> None:
    pages = subject.source.open_list()
    assert pages is not None
    pages.most = 1

    assert subject.read(pages.submit) == [*TWO_PAGES]

    assert pages.is_under_way is False
    pages.close()


def test_refusal_is_raised_by_the_future_alone(subject: Subject) -> None:
    subject.refuse()

    for answer in (subject.source.submit(subject.call), subject.source.pass_on(subject.call)):
        with pytest.raises(SourceError) as raised:
            answer.result(timeout=LONGEST_SECONDS)
        assert raised.value.status in (400, 500)


def test_answer_is_passed_on_as_it_came(subject: Subject) -> None:
    answer = subject.source.pass_on(subject.call).result(timeout=LONGEST_SECONDS)

    assert isinstance(answer, PlainAnswer)
    assert answer.status == 200
    assert answer.body


def test_preview_sends_nothing(subject: Subject) -> None:
    shown = subject.source.preview(subject.call)

    assert set(shown) == {"method", "url", "headers", "body"}
    assert shown["method"] == "GET"
    assert "/things?" in shown["url"]
    assert "state=open" in shown["url"]
    assert subject.count_requests() == 0


def test_requests_of_a_budget_are_worth_something(subject: Subject) -> None:
    assert subject.source.useful_requests("a") >= 1
