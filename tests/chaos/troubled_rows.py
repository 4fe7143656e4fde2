"""What is done to rows: secrets that do not decrypt, a webhook deleted with events waiting, runs by the thousand."""

import os
from ast import literal_eval
from typing import Any, Final

import orjson
import psycopg
from redis import Redis

from app import broker_urls
from app.engine.ids import new_id
from app.engine.objects.daemons import name_queue
from tests.chaos.arena import Round
from tests.support.patience import wait_for
from tests.support.workspace import Sync, Workspace, listed

WAITING: Final = int(os.environ.get("CHAOS_WAITING", "20000"))
_ACCOUNTS: Final = 40
_FOREIGN: Final = "k2:00000000:AAAA"
_ONCE_A_YEAR: Final = "0 0 1 1 *"
_EVENT: Final = """
    insert into delivery (id, webhook_id, event, body)
    values (%s, %s, 'integrated_account:reactivated', '{"event": "integrated_account:reactivated", "payload": {}}')
"""
_TRIGGERS: Final = """
    insert into sync_job_cron_trigger (id, environment_id, sync_job_id, integrated_account_id, cron_expression,
                                       timezone, args, enabled, next_run_at)
    select gen_random_uuid(), environment_id, id, %s, %s, 'UTC', '{}', true, now()
      from sync_job, generate_series(1, %s) where id = %s
"""


def spoil_secrets(round: Round) -> None:
    """Make an account and a webhook undecryptable, each the first of what duties have to do; others come after them."""
    workspace = round.arena.workspace()
    poisoned, sound = (_few(round, workspace) for _ in range(2))
    webhooks = [_webhook(round, workspace) for _ in range(2)]
    with _connected(round) as connection:
        connection.execute(
            "update integrated_account set context_encrypted = %s where id = %s",
            [_FOREIGN.encode(), poisoned.account_id],
        )
        connection.execute("update webhook set secret_encrypted = %s where id = %s", [_FOREIGN.encode(), webhooks[0]])
        for webhook_id in webhooks:
            connection.execute(_EVENT, [new_id(), webhook_id])
        for sync in (poisoned, sound):
            connection.execute(_TRIGGERS, [sync.account_id, _ONCE_A_YEAR, 1, sync.job_id])
    _wait_for_sound(round, sound, webhooks[1])
    listed_accounts = workspace.api.get("/integrated-account")["result"]
    assert {account["id"] for account in listed_accounts} == {poisoned.account_id, sound.account_id}
    workspace.api.patch(f"/integrated-account/{poisoned.account_id}", {"context": {"api_key": "new"}})
    round.story.append("secrets did not decrypt")


def delete_webhook_with_events(round: Round) -> None:
    """Delete a webhook whose events wait before those of another one."""
    workspace = round.arena.workspace()
    sound = _few(round, workspace)
    deleted, kept = (_webhook(round, workspace) for _ in range(2))
    with _connected(round) as connection:
        # Their time comes once the webhook is gone.
        for webhook_id in (deleted, kept):
            connection.execute(_EVENT, [new_id(), webhook_id])
        connection.execute("delete from webhook where id = %s", [deleted])
        connection.execute(_TRIGGERS, [sound.account_id, _ONCE_A_YEAR, 1, sound.job_id])
    _wait_for_sound(round, sound, kept)
    round.story.append("a webhook was deleted while its events waited")


def make_thousands_wait(round: Round) -> None:
    """Have thousands of triggers of one minute make runs, all of which complete; hardly a message is left of them."""
    workspace = round.arena.workspace()
    syncs = [_few(round, workspace) for _ in range(_ACCOUNTS)]
    with _connected(round) as connection:
        for sync in syncs:
            connection.execute(_TRIGGERS, [sync.account_id, _ONCE_A_YEAR, WAITING // len(syncs), sync.job_id])
    jobs = [sync.job_id for sync in syncs]
    counted = (
        "select count(*), count(*) filter (where status = 'completed') from sync_job_run where sync_job_id = any(%s)"
    )
    wait_for(lambda: round.arena.fetch(counted, jobs) == [(WAITING, WAITING)], 1800, what=f"{WAITING} runs")
    if broker_urls.is_redis(round.broker.url):
        over = {str(id) for (id,) in round.arena.fetch("select id from sync_job_run where sync_job_id = any(%s)", jobs)}
        left = sum(run_id in over for run_id in _runs_of_messages(round.broker.url))
        assert left < WAITING / 100, f"{left} stale messages are left"
    round.story.append(f"{WAITING} runs waited")


def _runs_of_messages(broker_url: str) -> list[str]:
    """List the runs that waiting messages name: those of the round's own two runs are not stale."""
    with Redis.from_url(broker_url.replace("redis+socket", "unix", 1)) as client:
        waiting = client.lrange(f"ferryman:{name_queue('default')}", 0, -1)
    return [literal_eval(orjson.loads(raw)["headers"]["argsrepr"])[0] for raw in waiting]


def _few(round: Round, workspace: Workspace) -> Sync:
    return workspace.sync(f"{round.runs[0].world_url}-few", [listed("few")])


def _webhook(round: Round, workspace: Workspace) -> str:
    target = f"{round.runs[0].world_url}-events/hook"
    return str(workspace.api.post("/webhook", {"target_url": target, "event_types": ["none:none"]})["id"])


def _connected(round: Round) -> "psycopg.Connection[Any]":
    return psycopg.connect(round.stack.database_url)


def _wait_for_sound(round: Round, sync: Sync, webhook_id: str) -> None:
    """Wait until the trigger that comes last has made its run, and the event that comes last is delivered."""
    completed = "select 1 from sync_job_run where sync_job_id = %s and status = 'completed'"
    wait_for(lambda: bool(round.arena.fetch(completed, sync.job_id)), what="the run of the other trigger")
    delivered = "select 1 from delivery where webhook_id = %s and status = 'delivered'"
    wait_for(lambda: bool(round.arena.fetch(delivered, webhook_id)), what="the event of the other webhook")
    assert not sync.api.get("/healthz")["duties"]
