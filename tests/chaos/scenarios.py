"""All scenarios by name: what goes wrong in the middle of two runs."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from app import failpoints
from app.client import ApiError
from app.engine.ids import new_id
from app.engine.json_types import JsonObject
from app.failpoints import Failpoint
from tests.chaos import faults, landing, receivers, troubled_rows
from tests.chaos.arena import DAEMONS, Round
from tests.chaos.doubled_messages import doubled_messages
from tests.chaos.skewed_daemon import with_clock_skew
from tests.support.patience import LONGEST_SECONDS, wait_for
from tests.support.workspace import Sync, listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One way in which things go wrong."""

    name: str
    what: str
    strike: Callable[[Round], None]
    """Does it, and comes back when the cause is gone."""
    begin_at: tuple[float, float] = (0.1, 0.5)
    """Between which parts of the daemon run's requests it strikes."""
    stops: bool = False
    """The runs are stopped in the middle of it."""


SCENARIOS: Final[dict[str, Scenario]] = {}
_STOPPED_TOO: Final = (
    "daemon-killed",
    "both-daemons-killed",
    "api-killed",
    "broker-emptied",
    "postgres-restarted",
    "daemon-paused",
    "rolling-deploy",
)


def scenario(
    what: str, *, begin_at: tuple[float, float] = (0.1, 0.5)
) -> Callable[[Callable[[Round], None]], Callable[[Round], None]]:
    """Register a strike under its name, with dashes."""

    def register(strike: Callable[[Round], None]) -> Callable[[Round], None]:
        name = strike.__name__.replace("_", "-")
        SCENARIOS[name] = Scenario(name=name, what=what, strike=strike, begin_at=begin_at)
        return strike

    return register


@scenario("nothing, for comparison")
def nothing(round: Round) -> None:
    round.story.append("nothing")


@scenario("`kill -9` of one daemon")
def daemon_killed(round: Round) -> None:
    round.kill(round.dice.choice(DAEMONS))


@scenario("`kill -9` of both daemons")
def both_daemons_killed(round: Round) -> None:
    for name in DAEMONS:
        round.kill(name)


@scenario("`kill -9` of an API worker while it answers `POST /sync-job-run`")
def api_killed_in_mid_request(round: Round) -> None:
    sync = _small_sync(round)
    keys = [new_id() for _ in range(16)]
    with ThreadPoolExecutor(len(keys)) as pool:
        answers = [pool.submit(_post_until_accepted, sync, key) for key in keys]
        time.sleep(round.dice.uniform(0, 0.15))
        for pid in faults.workers_of(round.child("api")):
            faults.kill_process(round, pid, "api worker")
        ids = [answer.result() for answer in answers]
    assert len(set(ids)) == len(keys), "a run was accepted twice under one idempotency key"
    round.ends.callback(lambda: _assert_completed(sync, ids))


@scenario("`kill -9` of gunicorn and its workers")
def api_killed(round: Round) -> None:
    round.kill("api")


@scenario("`kill -9` of gunicorn's master alone")
def gunicorn_master_killed(round: Round) -> None:
    faults.kill_leader_alone(round, "api")


@scenario("the broker killed, started again EMPTY")
def broker_emptied(round: Round) -> None:
    faults.empty_broker(round)


@scenario("a full minute without the broker")
def minute_without_broker(round: Round) -> None:
    faults.keep_down(round, "broker", 60)


@scenario("Postgres restarted")
def postgres_restarted(round: Round) -> None:
    child = round.child("postgres")
    pid = child.pid
    child.restart()
    round.interruptions += 2
    round.wait_for_exit("postgres", pid)
    wait_for(child.is_ready, what="Postgres again")


@scenario("`kill -9` of Postgres")
def postgres_killed(round: Round) -> None:
    pid = round.child("postgres").pid
    round.kill("postgres")
    round.interruptions += 2
    round.wait_for_exit("postgres", pid)
    wait_for(round.child("postgres").is_ready, what="Postgres again")


@scenario("`kill -9` of Postgres while 100 small runs begin, whose first commits nobody waits for")
def postgres_killed_as_runs_begin(round: Round) -> None:
    sync = _small_sync(round)
    keys = [new_id() for _ in range(100)]
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(partial(_post_until_accepted, sync), keys))
    round.ends.callback(lambda: _assert_completed(sync, ids))
    postgres_killed(round)


@scenario("deploy: every daemon is sent SIGTERM and started again, one after the other", begin_at=(0.05, 0.2))
def rolling_deploy(round: Round) -> None:
    for name in DAEMONS:
        faults.terminate(round, name)


@scenario("a daemon frozen past its lease, then let go")
def daemon_paused(round: Round) -> None:
    faults.pause_past_lease(round, round.dice.choice(DAEMONS))


@scenario("every message delivered twice", begin_at=(0.0, 0.05))
def messages_doubled(round: Round) -> None:
    round.ends.enter_context(doubled_messages(round))


@scenario("one daemon's clock is 5 minutes fast or slow", begin_at=(0.0, 0.1))
def clock_skewed(round: Round) -> None:
    round.ends.enter_context(with_clock_skew(round, round.dice.choice(DAEMONS), round.dice.choice((-300, 300))))


@scenario("all of Postgres' connections taken for 4 s")
def connections_exhausted(round: Round) -> None:
    faults.exhaust_connections(round, 4)


@scenario("`pg_terminate_backend` of every connection, again and again for 4 s")
def backends_terminated(round: Round) -> None:
    faults.terminate_backends(round, 4)


@scenario("the receiver of 100 other runs hangs for ever")
def receiver_hangs_for_ever(round: Round) -> None:
    round.ends.enter_context(receivers.hanging_runs(round, 100))


@scenario("a webhook deleted with events waiting, of a run and of none")
def webhook_deleted_with_events_waiting(round: Round) -> None:
    receivers.delete_with_events_waiting(round)


@scenario("an account's and a webhook's secret that do not decrypt, first in line for every duty")
def secrets_spoiled(round: Round) -> None:
    troubled_rows.spoil_secrets(round)


@scenario("a webhook deleted while its events wait")
def webhook_deleted(round: Round) -> None:
    troubled_rows.delete_webhook_with_events(round)


@scenario(f"{troubled_rows.WAITING:,} runs waiting, made by triggers of one minute", begin_at=(0.0, 0.1))
def thousands_waiting(round: Round) -> None:
    troubled_rows.make_thousands_wait(round)


@scenario("Postgres read-only for 25 s, and the sessions of that time kept by it")
def postgres_read_only(round: Round) -> None:
    faults.make_read_only(round, 25)


@scenario("a PgBouncer (by transaction) between the daemons and Postgres, killed in the middle", begin_at=(0.0, 0.1))
def pgbouncer_between(round: Round) -> None:
    pooler = round.ends.enter_context(faults.pooled(round))
    pid = pooler.pid
    pooler.kill()
    round.kills += 1
    round.interruptions += 2
    round.story.append("killed pgbouncer")
    wait_for(lambda: pooler.pid not in {None, pid} and pooler.is_ready(), what="PgBouncer again")


@scenario("a daemon dies after a destination's target has a range, before the cursor moves", begin_at=(0.0, 0.1))
def dies_in_a_destinations_write(round: Round) -> None:
    landing.land(round)
    for _ in range(2):
        wanted = round.dice.randint(1, 4)
        file = failpoints.arm(round.arena.failpoints, Failpoint.BEFORE_CURSOR, wanted)
        wait_for(partial(_is_gone, file), what=f"a write of a destination, the {wanted}th")
        round.killed(DAEMONS[0])
        round.story.append(f"at write {wanted}")


@scenario("`kill -9` of a destination's Postgres, twice", begin_at=(0.0, 0.1))
def target_killed(round: Round) -> None:
    landed = landing.land(round)
    landed.wait_for_rows()
    for _ in range(2):
        time.sleep(round.dice.uniform(0, 0.5))
        landed.kill_target()


@scenario("a destination's object store answers 503, slowly, or not after it has written", begin_at=(0.0, 0.1))
def object_store_failing(round: Round) -> None:
    _, proxy = landing.land_through_faults(round)
    proxy.faults += round.dice.choices(("busy", "slow", "lose"), k=12)
    wait_for(lambda: not proxy.faults, what="faults of the object store")
    round.story.append(f"{proxy.met} requests failed")


@scenario("two faults at once")
def two_faults(round: Round) -> None:
    pair = round.dice.sample(
        ["daemon-killed", "api-killed", "broker-emptied", "postgres-restarted", "daemon-paused", "backends-terminated"],
        k=2,
    )
    round.story.append(" and ".join(pair))
    with ThreadPoolExecutor(2) as pool:
        for strike in [pool.submit(SCENARIOS[name].strike, round) for name in pair]:
            strike.result()


def _failpoint(point: Failpoint, what: str, *, hits: int) -> None:
    def strike(round: Round) -> None:
        wanted = round.dice.randint(1, hits)
        file = failpoints.arm(round.arena.failpoints, point, wanted)
        wait_for(lambda: not file.exists(), what=f"failpoint {point} at hit {wanted}")
        round.killed(DAEMONS[0])
        round.story.append(f"failpoint {point} at hit {wanted}")

    name = f"dies-{point.replace('_', '-')}"
    SCENARIOS[name] = Scenario(name=name, what=f"a daemon dies {what}", strike=strike)


_failpoint(Failpoint.AFTER_FETCH, "after it has fetched a page", hits=60)
_failpoint(Failpoint.BEFORE_CHECKPOINT, "after the upsert, before the checkpoint", hits=30)
_failpoint(Failpoint.BEFORE_ACK, "after the commit, before the ack", hits=30)
_failpoint(Failpoint.BEFORE_DELIVERED, "after the webhook's answer, before it counts as delivered", hits=12)

for _name in _STOPPED_TOO:
    SCENARIOS[f"stop-while-{_name}"] = Scenario(
        name=f"stop-while-{_name}",
        what=f"stop during: {SCENARIOS[_name].what}",
        strike=SCENARIOS[_name].strike,
        stops=True,
    )


def _is_gone(file: Path) -> bool:
    return not file.exists()


def _small_sync(round: Round) -> Sync:
    return round.arena.workspace().sync(f"{round.runs[0].world_url}-few", [listed("few")])


def _post_until_accepted(sync: Sync, key: str) -> str:
    """Post a run as a careful client does: again with the same key until it is answered."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while True:
        try:
            answer = sync.api.call("POST", "/sync-job-run", sync.body, headers={"Idempotency-Key": key})
        except ApiError as error:
            if error.status is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return str(answer["id"])


def _assert_completed(sync: Sync, ids: list[str]) -> None:
    ended: list[JsonObject] = [sync.finished(id) for id in ids]
    assert {run["status"] for run in ended} == {"completed"}
