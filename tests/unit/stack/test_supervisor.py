from pathlib import Path

from app.stack.supervisor import Supervisor


def test_supervisor_of_no_children_ends(tmp_path: Path) -> None:
    supervisor = Supervisor(run_dir=tmp_path, log_dir=tmp_path, report=print)
    supervisor.spawn()

    supervisor.stop()

    assert supervisor.children == {}
