"""Daemons as pytest-celery's nodes: their life in the registry, and what survives their death."""

from tests.support.patience import WaitFor
from tests.support.process_nodes import DaemonNode, FerrymanSetup
from tests.support.workspace import Workspace


def registered(workspace: Workspace) -> dict[str, str]:
    """Read how the daemons stand that serve all."""
    daemons = workspace.api.get("/daemon")["result"]
    return {daemon["id"]: daemon["status"] for daemon in daemons if daemon["group_key"] == "default"}


def test_every_daemon_answers_celerys_control(celery_setup: FerrymanSetup, wait_for: WaitFor) -> None:
    assert celery_setup.ready()
    names = sorted(node.hostname() for node in celery_setup.worker_cluster)

    def all_answer() -> bool:
        """Ping once more: a broadcast reaches those that listen by then, and ready daemons may not do so yet."""
        answers = celery_setup.app.control.ping(timeout=5.0, limit=len(names))
        return sorted(name for answer in answers for name in answer) == names

    wait_for(all_answer)


def test_daemon_registers_itself_and_signs_off_when_it_is_terminated(
    node_workspace: Workspace, daemons: list[DaemonNode]
) -> None:
    assert registered(node_workspace) == {daemon.daemon_id: "active" for daemon in daemons}
    leaving, staying = daemons

    leaving.kill("SIGTERM")
    leaving.container.wait_for_end()

    assert registered(node_workspace) == {leaving.daemon_id: "stopped", staying.daemon_id: "active"}


def test_restarted_daemon_is_active_again_under_its_name(
    node_workspace: Workspace, daemons: list[DaemonNode], wait_for: WaitFor
) -> None:
    restarted, staying = daemons

    restarted.restart()

    restarted.assert_log_exists("Warm shutdown")
    expected = {restarted.daemon_id: "active", staying.daemon_id: "active"}
    wait_for(lambda: registered(node_workspace) == expected, what="the restarted daemon's mark")


def test_killed_daemon_is_marked_as_stopped_once_it_was_silent_for_long(
    node_workspace: Workspace, daemons: list[DaemonNode], wait_for: WaitFor
) -> None:
    killed, staying = daemons

    killed.kill()

    expected = {killed.daemon_id: "stopped", staying.daemon_id: "active"}
    wait_for(lambda: registered(node_workspace) == expected, what="the silent daemon's mark")
