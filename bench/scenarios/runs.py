"""Many small runs: how fast they are accepted, begun and carried out."""

import json
import random
import time
from collections.abc import Sequence
from statistics import median
from typing import Final

import redis

from app.engine.json_types import JsonObject
from app.engine.objects.daemons import name_queue
from bench import checking
from bench.customer import POLL_SECONDS, Sync, moment
from bench.measurement import BenchError, Figure, Measurement, at_least, at_most
from bench.rounds import in_turn
from bench.samples import noise, percentile, ratio
from bench.scenario import Scenario
from bench.servers.bare_view import QUEUE as BARE_QUEUE
from bench.servers.running import running_gunicorn
from bench.wire import Call, Load, load, read
from bench.workbench import Workbench
from bench.worlds import new_world

_RUNS: Final = 1000
_RECORDS_PER_RUN: Final = 10
_POSTERS: Final = 16
_POSTS: Final = 2000
_CONNECTIONS: Final = 8
_SAMPLES: Final = 200
_NOBODY: Final = "bench-nobody"
_LONGEST_SECONDS: Final = 600.0


def measure_thousand_runs(workbench: Workbench) -> Measurement:
    """Post one-page runs at once, each of an account of its own, and wait for the last."""
    runs = workbench.effort.sized(_RUNS, least=20)
    world = new_world(_RECORDS_PER_RUN, page_size=_RECORDS_PER_RUN)
    syncs = workbench.customer.syncs(workbench.url_of(world), runs)
    posts: list[float] = []

    def post_all() -> float:
        workbench.clear()
        began, posted = time.time(), post(workbench, syncs)
        posts.append(percentile(posted.latencies, 99) * 1000)
        seconds = last_end(workbench, syncs) - began
        accounts = [sync.account_id for sync in syncs]
        checking.check_tickets(workbench.stack.database_url, accounts, _RECORDS_PER_RUN)
        workbench.say(f"posted in {posted.seconds:.1f} s, completed in {seconds:.1f} s")
        return runs / seconds

    (rates,) = in_turn(workbench.effort.rounds, post_all)
    samples = {"runs/s": rates, "POST p99 in ms": posts[1:]}
    return Measurement(
        scenario="thousand-runs",
        figures=[
            Figure(
                name="runs completed",
                value=median(rates),
                unit="runs/s",
                bar=at_least(100),
                samples=samples,
                noise=noise(rates),
            ),
            Figure(name=f"POST p99, {_POSTERS} connections, daemons at work", value=median(posts[1:]), unit="ms"),
        ],
        notes=[f"{runs:,} runs of {runs:,} accounts, from the first POST to the last run's end"],
    )


def measure_idle_latency(workbench: Workbench) -> Measurement:
    """Post a run to an idle Ferryman, again and again, and see when the upstream is asked."""
    workbench.clear()
    world = new_world(_RECORDS_PER_RUN, page_size=_RECORDS_PER_RUN)
    sync = workbench.customer.sync(workbench.url_of(world))
    posted = _posted_one_by_one(workbench, sync, 5 + workbench.effort.sized(_SAMPLES, least=20))
    arrivals = read(f"{workbench.url_of(world)}/stats")["arrivals"]
    if len(arrivals) != len(posted):
        raise BenchError(f"{len(posted)} runs asked the upstream {len(arrivals)} times")
    latencies = [(arrived - began) * 1000 for began, arrived in zip(posted, arrivals, strict=True)][5:]
    halves = [percentile(half, 50) for half in (latencies[::2], latencies[1::2])]
    samples = {"ms": [round(latency, 2) for latency in latencies]}
    return Measurement(
        scenario="idle-latency",
        figures=[
            Figure(
                name="POST to first request, p50",
                value=percentile(latencies, 50),
                unit="ms",
                bar=at_most(20),
                samples=samples,
                noise=noise(halves),
            ),
            Figure(name="POST to first request, p99", value=percentile(latencies, 99), unit="ms", bar=at_most(60)),
        ],
        notes=[f"{len(latencies)} runs, one after the other; the POST itself is part of the time"],
    )


def measure_post_rate(workbench: Workbench) -> Measurement:
    """Post runs to a group without daemons, beside a bare view that writes a row and publishes a message."""
    sync, posts = workbench.customer.sync("http://127.0.0.1:9"), workbench.effort.sized(_POSTS, least=100)
    body = json.dumps({**sync.body, "daemon_group_key": _NOBODY}).encode()
    slowest: list[float] = []
    environment = {**workbench.stack.environment, "BENCH_DATABASE_URL": workbench.floor_database_url}
    with running_gunicorn("bench.servers.bare_view:app", environment, str(workbench.stack.data.run)) as bare_url:

        def post_to(url: str, token: str) -> Load:
            workbench.clear()
            calls = [Call(method="POST", path="/sync-job-run", body=body)] * posts
            done = load(url, calls, connections=_CONNECTIONS, token=token, status=201)
            workbench.say(f"{done.rate:,.0f} POST/s, p99 {percentile(done.latencies, 99) * 1000:.1f} ms")
            return done

        def api_rate() -> float:
            done = post_to(workbench.stack.api_url, workbench.stack.token)
            slowest.append(percentile(done.latencies, 99) * 1000)
            _check_accepted(workbench, posts)
            return done.rate

        bares, rates = in_turn(workbench.effort.rounds, lambda: post_to(bare_url, "").rate, api_rate)
    _forget_messages(workbench)
    samples = {"bare view, requests/s": bares, "API, requests/s": rates, "API p99 in ms": slowest[1:]}
    return Measurement(
        scenario="post-rate",
        figures=[
            Figure(
                name="POST /sync-job-run / bare view",
                value=ratio(rates, bares),
                unit="×",
                bar=at_least(0.6),
                samples=samples,
                noise=noise(bares, rates),
            ),
            Figure(name="POST /sync-job-run p99", value=median(slowest[1:]), unit="ms", bar=at_most(50)),
            Figure(name="POST /sync-job-run", value=median(rates), unit="requests/s"),
            Figure(name="bare view", value=median(bares), unit="requests/s"),
        ],
        notes=[
            f"{posts:,} requests over {_CONNECTIONS} connections, both served by the API's gunicorn command",
            "the runs are of a group that has no daemons, as nobody takes the bare view's messages either",
        ],
    )


def post(workbench: Workbench, syncs: Sequence[Sync]) -> Load:
    """Post a run for each account at once."""
    calls = [Call(method="POST", path="/sync-job-run", body=json.dumps(sync.body).encode()) for sync in syncs]
    return load(workbench.stack.api_url, calls, connections=_POSTERS, token=workbench.stack.token, status=201)


def last_end(workbench: Workbench, syncs: Sequence[Sync]) -> float:
    """Wait until all runs of the accounts' job have completed; give when the last one did."""
    query = {"sync_job_id": syncs[0].job_id, "limit": 1}
    deadline = time.monotonic() + _LONGEST_SECONDS
    while workbench.customer.api.get("/sync-job-run", {**query, "status[in]": "created,running,rate_limited"})[
        "result"
    ]:
        if time.monotonic() > deadline:
            raise BenchError(f"{len(syncs)} runs have not ended within {_LONGEST_SECONDS:g} s")
        time.sleep(POLL_SECONDS)
    ended = _all_runs(workbench, {**query, "status": "completed", "limit": 1000})
    if len(ended) != len(syncs):
        raise BenchError(f"{len(ended)} of {len(syncs)} runs completed")
    return max(moment(run["finished_at"]) for run in ended)


def _all_runs(workbench: Workbench, query: JsonObject) -> list[JsonObject]:
    page = workbench.customer.api.get("/sync-job-run", query)
    found: list[JsonObject] = page["result"]
    while page["next_cursor"] is not None:
        page = workbench.customer.api.get("/sync-job-run", {**query, "next_cursor": page["next_cursor"]})
        found += page["result"]
    return found


def _posted_one_by_one(workbench: Workbench, sync: Sync, count: int) -> list[float]:
    dice, posted = random.Random(count), []
    for _ in range(count):
        posted.append(workbench.customer.run(sync).posted_at)
        # At no fixed distance, so as not to keep step with any timer.
        time.sleep(dice.uniform(0.02, 0.12))
    return posted


def _check_accepted(workbench: Workbench, posts: int) -> None:
    waiting = _all_runs(workbench, {"status": "created", "limit": 1000})
    if len(waiting) != posts:
        raise BenchError(f"{len(waiting)} of {posts} runs were accepted")


def _forget_messages(workbench: Workbench) -> None:
    workbench.clear()
    with redis.Redis(unix_socket_path=workbench.stack.broker_url.partition("://")[2]) as broker:
        broker.delete(name_queue(_NOBODY), BARE_QUEUE)


SCENARIOS = (
    Scenario(
        name="thousand-runs",
        what="1,000 one-page runs posted at once",
        bar="at least 100 runs/s from first POST to last completed",
        measure=measure_thousand_runs,
    ),
    Scenario(
        name="idle-latency",
        what="from POST to the first request at the upstream, Ferryman idle",
        bar="p50 under 20 ms, p99 under 60 ms",
        measure=measure_idle_latency,
    ),
    Scenario(
        name="post-rate",
        what="POST /sync-job-run over 8 connections, beside a bare Flask view with one INSERT and one publish",
        bar="at least 0.6 × the bare view, p99 under 50 ms",
        measure=measure_post_rate,
    ),
)
