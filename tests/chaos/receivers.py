"""What goes wrong at the receivers of others' webhooks: they never answer, or are gone while events wait for them."""

import select
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from app.client import ApiClient
from app.engine.ids import new_id
from app.engine.json_types import JsonObject
from tests.chaos.arena import Round
from tests.support.patience import LONGEST_SECONDS, wait_for
from tests.support.workspace import listed

_NOBODY: Final = "http://127.0.0.1:9/"
_END: Final = "sync_job_run:completed"


@contextmanager
def hanging_runs(round: Round, count: int) -> Iterator[None]:
    """Have so many runs of somebody else wait for a receiver that never answers, until the block ends."""
    workspace = round.arena.workspace()
    with socket.create_server(("127.0.0.1", 0), backlog=2 * count) as silent:
        target_url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        webhook_id = workspace.api.post("/webhook", {"target_url": target_url})["id"]
        sync = workspace.sync(f"{round.runs[0].world_url}-few", [listed("few")])
        runs = [sync.start(webhook_id=webhook_id) for _ in range(count)]
        assert select.select([silent], [], [], LONGEST_SECONDS)[0], "nothing was sent to the silent receiver"
        round.story.append(f"{count} runs hang")
        try:
            yield
            assert _statuses(workspace.api, runs) == {"running"}, "a run did not wait for its receiver"
        finally:
            for run_id in runs:
                workspace.api.patch(f"/sync-job-run/{run_id}", {"status": "stopped"})


def delete_with_events_waiting(round: Round) -> None:
    """Delete a webhook for which a run and events of no run wait; neither keeps others' events from being sent."""
    workspace, inbox = round.arena.workspace(), f"{round.runs[0].world_url}-{new_id()}"
    api, sync = workspace.api, workspace.sync(f"{round.runs[0].world_url}-few", [listed("few")])
    gone, watching = (
        api.post("/webhook", {"target_url": url, "event_types": [_END]})["id"] for url in (_NOBODY, f"{inbox}/hook")
    )
    ended = [sync.run()["status"] for _ in range(3)]
    waits_for_ever = sync.start(webhook_id=gone)
    wait_for(lambda: _waiting(api, gone) >= len(ended) + 1, what="events that wait")

    api.delete(f"/webhook/{gone}")

    round.story.append(f"deleted with {len(ended) + 1} events waiting")
    run: JsonObject = sync.finished(waits_for_ever)
    assert (run["status"], run["error"]["code"]) == ("failed", "unworkable"), run
    wait_for(
        lambda: _waiting(api, watching) == 0 and _delivered(api, watching) == len(ended),
        what="others' events",
    )


def _statuses(api: ApiClient, runs: Sequence[str]) -> set[str]:
    return {str(api.get(f"/sync-job-run/{id}")["status"]) for id in runs}


def _waiting(api: ApiClient, webhook_id: str) -> int:
    return len(api.get(f"/webhook/{webhook_id}/deliveries", {"status": "pending"})["result"])


def _delivered(api: ApiClient, webhook_id: str) -> int:
    return len(api.get(f"/webhook/{webhook_id}/deliveries", {"status": "delivered"})["result"])
