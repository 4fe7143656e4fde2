"""Accounts that share a limit by ``rate_limit.scope``: all processes hold them to one budget."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any, Final

import pytest

from app.engine.integrations.config import IntegrationConfig, parse_config
from app.services.ports import FetchedPage, PageCall, Swapped
from app.sources.http_source import HttpSource
from app.sources.limiter.local_budgets import LocalBudgets
from tests.integration.sources.raw_upstream import SETTINGS, Received, Upstream, reply

PER_SECOND: Final = 20
REQUESTS: Final = 60


class SharedBudgets:
    """The store that all processes of a test share; each works on a loop of its own."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self._texts = LocalBudgets()
        self._lock = threading.Lock()

    async def swap(self, account_id: str, *, expected: str, text: str) -> Swapped:
        self.names.add(account_id)
        with self._lock:
            return await self._texts.swap(account_id, expected=expected, text=text)

    async def close(self) -> None:
        """Stay open for the other process."""


class Limited:
    """An API that counts the requests of one key, whoever sends them."""

    def __init__(self) -> None:
        self.served: list[float] = []
        self.refused = 0
        self._lock = threading.Lock()

    def answer(self, _request: Received) -> bytes:
        with self._lock:
            now = time.monotonic()
            if sum(moment > now - 1 for moment in self.served) >= PER_SECOND:
                self.refused += 1
                return reply({"error": "slow down"}, status=429)
            self.served.append(now)
            return reply([{"id": 1}])


@pytest.fixture
def budgets() -> SharedBudgets:
    return SharedBudgets()


@pytest.fixture
def daemons(budgets: SharedBudgets) -> Iterator[list[HttpSource]]:
    made = [HttpSource(SETTINGS, lambda: budgets) for _ in range(2)]
    yield made
    for one in made:
        one.close()


def config_of(url: str, **rate_limit: Any) -> IntegrationConfig:
    config, failures = parse_config({"base_url": url, "rate_limit": rate_limit})
    assert config is not None, failures
    return config


def ask(source: HttpSource, account: str, config: IntegrationConfig, **context: str) -> "Future[FetchedPage]":
    return source.submit(
        PageCall(
            account_id=account, environment_id="e", config=config, context=context, resource="things", method="list"
        )
    )


def test_accounts_of_two_daemons_stay_within_the_limit_of_their_common_key(
    upstream: Upstream, daemons: list[HttpSource], budgets: SharedBudgets
) -> None:
    api = Limited()
    upstream.answer = api.answer
    config = config_of(upstream.url, scope="{{key}}", requests=PER_SECOND, per_seconds=1)

    answers = [
        ask(daemons[number % 2], f"account-{number // 2 % 2}", config, key="one and the same")
        for number in range(REQUESTS)
    ]
    for answer in answers:
        answer.result(timeout=60)

    assert len(budgets.names) == 1
    # Each alone would have sent at the whole pace.
    assert api.refused <= REQUESTS // 10
    assert api.served[-1] - api.served[0] >= 0.8 * REQUESTS / PER_SECOND - 1


@pytest.mark.parametrize(
    ("scope", "contexts", "environments", "count"),
    [
        ("{{key}}", ["a", "b"], ["e", "e"], 2),
        ("{{key}}", ["a", "a"], ["e", "e"], 1),
        ("{{key}}", ["a", "a"], ["e", "other"], 2),
        ("everybody", ["a", "b"], ["e", "e"], 1),
        ("{{context.key}}", ["a", "a"], ["e", "e"], 1),
        ("{{nothing}}", ["a", "a"], ["e", "e"], 2),
        (None, ["a", "a"], ["e", "e"], 2),
    ],
)
def test_a_scope_names_the_budget(scope: str | None, contexts: list[str], environments: list[str], count: int) -> None:
    config = config_of("http://example.test", scope=scope)

    names = {
        config.rate_limit.find_budget_key(f"account-{at}", environment, {"key": context})
        for at, (context, environment) in enumerate(zip(contexts, environments, strict=True))
    }

    assert len(names) == count
    assert not any("key" in name or context in name.split(":")[-1:] for name in names for context in contexts)


@pytest.mark.parametrize("scope", [7, "", "{{unclosed"])
def test_a_scope_that_is_no_text_is_a_fault(scope: Any) -> None:
    _, failures = parse_config({"base_url": "http://example.test", "rate_limit": {"scope": scope}})

    assert [failure.path for failure in failures] == ["config.rate_limit.scope"]
