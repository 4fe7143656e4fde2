"""With a key, daemons act on nothing that it has not signed."""

from pathlib import Path

from app.broker import tasks
from app.broker.dispatcher import build_publisher
from app.engine.ids import new_id
from app.engine.objects.daemons import name_queue
from app.stack.stack import Stack
from tests.support.patience import wait_for
from tests.support.upstream import Upstream, reply
from tests.support.workspace import Workspace, listed


def test_a_message_that_nobody_signed_is_refused_and_signed_ones_are_worked_on(
    ferryman: Stack, workspace: Workspace, upstream: Upstream
) -> None:
    upstream.answers("/things", reply([{"id": 1}]))
    forger = build_publisher(ferryman.broker_url, timeout_seconds=5)
    assert forger.conf.task_serializer == "json"

    forger.send_task(tasks.SYNC_UNIT, args=[new_id(), new_id()], queue=name_queue("default"))
    sync = workspace.sync(upstream.url, [listed("things")], config={})
    run = sync.run()

    assert run["status"] == "completed"
    wait_for(lambda: _refusals(ferryman), what="the refusal in a daemon's log")


def _refusals(stack: Stack) -> int:
    logs = [path.read_text(errors="replace") for path in Path(stack.data.logs).glob("daemon-*")]
    return sum(log.count("none of Ferryman's was dropped") for log in logs)
