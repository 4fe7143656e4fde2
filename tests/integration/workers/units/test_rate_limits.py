"""Upstreams that limit their rate, and the whole fleet before them."""

import threading
import time
from collections.abc import Iterator

import pytest

from app.engine.json_types import JsonObject
from tests.support.http_server import Request, Response
from tests.support.patience import WaitFor
from tests.support.receiver import Receiver
from tests.support.upstream import Upstream, numbered, reply
from tests.support.workspace import CURSOR_PAGES, Workspace, child_of, listed

SLOW_DOWN = {"error": "slow down"}


class Limiter:
    """Serves so many requests in each second since the first, and refuses the others without a word."""

    def __init__(self, requests: int) -> None:
        self.requests = requests
        self.served: list[float] = []
        self.refused: list[float] = []
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Response:
        now = time.time()
        with self._lock:
            begun = now - (now - self.served[0]) % 1.0 if self.served else now
            is_served = len([at for at in self.served[-self.requests :] if at >= begun]) < self.requests
            (self.served if is_served else self.refused).append(now)
        return reply({"data": [{"id": request.query["parent"]}]}) if is_served else reply(SLOW_DOWN, 429)


@pytest.fixture
def limiter(upstream: Upstream) -> Iterator[Limiter]:
    made = Limiter(5)
    upstream.lists("/users", numbered("user", 80))
    upstream.answers("/notes", made)
    yield made


def test_five_requests_a_second_are_used_by_two_daemons(
    workspace: Workspace, upstream: Upstream, limiter: Limiter
) -> None:
    sync = workspace.sync(upstream.url, [listed("users"), child_of("users", "notes")])

    run = sync.finished(sync.start(), timeout=90)

    seconds = limiter.served[-1] - limiter.served[0]
    use, refused = len(limiter.served) / 5 / seconds, len(limiter.refused) / (len(limiter.refused) + 80)
    print(f"use {use:.0%}, refused {refused:.1%}")
    assert (run["status"], sync.errors(run["id"]), len(sync.records("notes"))) == ("completed", [], 80)
    # Here a busy machine takes its part; how much of a limit is used is held to figures in virtual time
    # (test_account_gate.py). A fleet that guesses its waits, or does not share, is far off these.
    assert use > 0.25
    assert len(limiter.refused) <= 20


def test_configured_limit_is_kept_from_the_first_request_on(workspace: Workspace, upstream: Upstream) -> None:
    upstream.lists("/users", numbered("user", 20))
    limiter = Limiter(10)
    upstream.answers("/notes", limiter)
    config = {**CURSOR_PAGES, "rate_limit": {"requests": 10, "per_seconds": 1}}

    sync = workspace.sync(upstream.url, [listed("users"), child_of("users", "notes")], config=config)
    run = sync.run()

    assert (run["status"], len(limiter.served), limiter.refused) == ("completed", 20, [])


def test_long_wait_is_told_to_the_webhook_once_and_shown_while_it_lasts(
    workspace: Workspace, upstream: Upstream, receiver: Receiver, wait_for: WaitFor
) -> None:
    upstream.answers_in_turn("/users", reply(SLOW_DOWN, 429, {"Retry-After": "6"}), reply({"data": [{"id": "u"}]}))
    sync = workspace.sync(upstream.url, [listed("users")])
    run_id = sync.start(webhook_id=workspace.webhook(receiver))

    parked: JsonObject = wait_for(lambda: _if_parked(sync.show(run_id)), what="the status rate_limited")
    run = sync.finished(run_id)
    wait_for(lambda: "completed" in receiver.events, what="the last event")

    (told,) = [delivery.payload for delivery in receiver.deliveries if delivery.event.endswith("rate_limited")]
    assert parked["retry_after"] > parked["started_at"]
    assert (run["status"], run["retry_after"], sync.errors(run_id)) == ("completed", None, [])
    assert told == {"id": run_id, "status": "rate_limited", "resource": "users", "method": "list", "retryAfter": 6}
    assert receiver.events == ["created", "started", "rate_limited", "updated", "record", "completed"]


def test_refusals_by_another_status_are_told_by_the_config(workspace: Workspace, upstream: Upstream) -> None:
    upstream.answers_in_turn("/users", reply(SLOW_DOWN, 403, {"X-Wait": "1"}), reply({"data": [{"id": "u"}]}))
    rate_limit = {"is_rate_limited": "status = 403", "retry_after_header_expression": "headers.`x-wait`"}

    sync = workspace.sync(upstream.url, [listed("users")], config={**CURSOR_PAGES, "rate_limit": rate_limit})
    run = sync.run()

    assert (run["status"], sync.errors(run["id"]), set(sync.records("users"))) == ("completed", [], {"u"})


@pytest.mark.parametrize("retry_after", ["-5", "0", "Thu, 01 Jan 1970 00:00:00 GMT", "4070908800", "soon"])
def test_senseless_waits_neither_spin_nor_hang(workspace: Workspace, upstream: Upstream, retry_after: str) -> None:
    upstream.answers_in_turn(
        "/users", reply(SLOW_DOWN, 429, {"Retry-After": retry_after}), reply({"data": [{"id": "u"}]})
    )

    sync = workspace.sync(upstream.url, [listed("users")])
    run = sync.finished(sync.start(), timeout=20)

    assert (run["status"], sync.errors(run["id"])) == ("completed", [])
    assert len(upstream.requests) == 2


def _if_parked(run: JsonObject) -> JsonObject | None:
    return run if run["status"] == "rate_limited" else None


@pytest.mark.parametrize("way", ["reset", "resume"])
def test_long_wait_ends_when_somebody_says_so(
    workspace: Workspace, upstream: Upstream, wait_for: WaitFor, way: str
) -> None:
    upstream.answers_in_turn("/users", reply(SLOW_DOWN, 429, {"Retry-After": "3600"}), reply({"data": [{"id": "u"}]}))
    sync = workspace.sync(upstream.url, [listed("users")])
    run_id = sync.start()
    wait_for(lambda: _if_parked(sync.show(run_id)), what="the status rate_limited")
    budget = f"/integrated-account/{sync.account_id}/budget"
    paused = wait_for(lambda: _if_paused(sync.api.get(budget)), what="the budget's pause")

    if way == "reset":
        done = sync.api.delete(budget)
        assert done == {"id": sync.account_id, "runs": [run_id]}
    else:
        sync.api.post(f"/sync-job-run/{run_id}/resume", {})
    run = sync.finished(run_id, timeout=30)

    assert (run["status"], sync.errors(run_id), len(upstream.requests)) == ("completed", [], 2)
    assert (paused["is_shared"], paused["is_known"], paused["refusals_in_a_row"]) == (True, True, 1)
    assert [(parked["run_id"], parked["units"]) for parked in paused["parked_runs"]] == [(run_id, 1)]
    assert paused["paused_until"] > run["finished_at"]


def _if_paused(budget: JsonObject) -> JsonObject | None:
    return budget if budget["paused_until"] else None
