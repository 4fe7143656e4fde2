"""A real daemon keeps apart what has one id under several parents, and re-keys what it had mixed up."""

from tests.support.receiver import Receiver
from tests.support.upstream import Upstream
from tests.support.workspace import Workspace, child_of, listed

ORDERS = [{"id": f"o{number}"} for number in range(1, 6)]
LINES = {order["id"]: [{"id": line, "of": order["id"]} for line in range(1, 4)] for order in ORDERS}
ALL = {f'["{order}",{line}]' for order in LINES for line in range(1, 4)}
ALONE = [listed("orders"), child_of("orders", "lines")]
WITH_PARENT = [listed("orders"), child_of("orders", "lines", include_from_parent=["id"])]


def test_lines_that_were_mixed_up_are_told_and_re_keyed_by_the_next_whole_run(
    workspace: Workspace, upstream: Upstream
) -> None:
    upstream.lists("/orders", ORDERS)
    upstream.lists_by("/lines", "parent", LINES)
    sync = workspace.sync(upstream.url, ALONE)
    sync.run()
    mixed_up = set(sync.records("lines"))

    (warning,) = sync.api.patch(f"/sync-job/{sync.job_id}", {"resources": WITH_PARENT})["warnings"]
    run = sync.run()

    assert (mixed_up, warning["resource"], warning["accounts"]) == ({"1", "2", "3"}, "lines", 1)
    assert set(sync.records("lines")) == ALL
    assert run["resource_stats"]["lines"]["list"]["deleted"] == 3
    assert sync.api.get(f"/sync-job-run/{run['id']}/verify")["balanced"]


def test_webhook_gets_each_line_with_the_id_that_it_is_known_by(
    workspace: Workspace, upstream: Upstream, receiver: Receiver
) -> None:
    upstream.lists("/orders", ORDERS)
    upstream.lists_by("/lines", "parent", LINES)
    sync = workspace.sync(upstream.url, WITH_PARENT)

    sync.run(webhook_id=workspace.webhook(receiver))

    batches = [one.payload for one in receiver.deliveries if one.event.endswith(":record") and one.payload["meta"]]
    told = {id: record for batch in batches for id, record in zip(batch["meta"]["ids"], batch["records"], strict=True)}
    assert told.keys() == ALL
    assert told['["o2",1]'] == {"id": 1, "of": "o2", "_orders_id": "o2"}
