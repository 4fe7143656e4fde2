import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.stack.child import ChildSpec
from app.stack.data_directory import DataDirectory
from app.stack.errors import StackError
from app.stack.processes import end_leftovers, read_identity, record_process
from app.stack.supervisor import Supervisor, Waiting

PythonChild = Callable[..., ChildSpec]
Eventually = Callable[[Callable[[], object]], None]

FOREVER = "import signal\nwhile True: signal.pause()"
# Writes its own pid and that of a grandchild, both of which ignore SIGTERM.
STUBBORN_FAMILY = """
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if child:
    open('family.new', 'w').write(f'{os.getpid()} {child}')
    os.rename('family.new', 'family')
while True: signal.pause()
"""


def is_gone(pid: int) -> bool:
    return read_identity(pid) is None


def family_of(directory: Path) -> list[int]:
    return [int(pid) for pid in (directory / "family").read_text().split()]


def test_supervisor_starts_a_child_again_when_it_is_killed(
    supervisor: Supervisor, python_child: PythonChild, reports: list[str], eventually: Eventually
) -> None:
    supervisor.spawn(python_child("worker", FOREVER))
    supervisor.wait_until_ready()
    worker = supervisor.children["worker"]
    first = worker.pid

    worker.kill()

    eventually(lambda: worker.is_alive and worker.pid != first)
    assert reports == ["worker ended by SIGKILL; starting it again in 0.5 s"]


def test_supervisor_tells_the_last_lines_of_a_child_that_ends(
    supervisor: Supervisor, python_child: PythonChild, reports: list[str], eventually: Eventually
) -> None:
    program = "import sys\nprint('all is well')\nsys.stdout.flush()\nsys.stdin.read()\nimport signal; signal.pause()"
    supervisor.spawn(python_child("worker", program))
    supervisor.wait_until_ready()
    worker = supervisor.children["worker"]
    eventually(lambda: worker.read_last_lines() == ["all is well"])

    worker.send(signal.SIGTERM)

    eventually(lambda: reports)
    assert reports[0] == "worker ended by SIGTERM; starting it again in 0.5 s\n    all is well"


def test_wait_raises_one_sentence_when_a_child_ends_before_it_is_ready(
    supervisor: Supervisor, python_child: PythonChild, reports: list[str]
) -> None:
    supervisor.spawn(python_child("worker", "raise SystemExit('no such disk')", is_ready=lambda _pid: False))

    with pytest.raises(StackError, match=r"worker exited with status 1: no such disk \(all of it in .*worker.log\)"):
        supervisor.wait_until_ready()
    assert reports == []


def test_wait_raises_when_a_child_is_not_ready_in_time(supervisor: Supervisor, python_child: PythonChild) -> None:
    supervisor.spawn(python_child("worker", FOREVER, is_ready=lambda _pid: False, ready_seconds=0.2))

    with pytest.raises(StackError, match=r"worker was not ready, and did nothing for 0.2 of [0-9]+ s: it wrote no log"):
        supervisor.wait_until_ready()


def test_wait_lasts_as_long_as_a_child_works(supervisor: Supervisor, python_child: PythonChild, tmp_path: Path) -> None:
    """It computes for much longer than it may sleep: as a start does on a machine that is busy."""
    program = "import time\nwhile time.process_time() < 1.5: pass\nopen('ready', 'w')\nimport signal\nsignal.pause()"
    is_ready = (tmp_path / "ready").exists
    supervisor.spawn(python_child("worker", program, is_ready=lambda _pid: is_ready(), ready_seconds=0.5))

    supervisor.wait_until_ready()

    assert supervisor.children["worker"].is_alive


def test_wait_lasts_as_long_as_what_a_child_has_started_works(
    supervisor: Supervisor, python_child: PythonChild, tmp_path: Path
) -> None:
    """In a session of its own: as Postgres recovers after a crash, while the process that was started sleeps."""
    program = "import time\nwhile time.process_time() < 1.5: pass\nopen('ready', 'w')"
    program = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {program!r}], start_new_session=True)\n"
    is_ready = (tmp_path / "ready").exists
    supervisor.spawn(python_child("server", program + FOREVER, is_ready=lambda _pid: is_ready(), ready_seconds=0.5))

    supervisor.wait_until_ready()

    assert supervisor.children["server"].is_alive


def test_wait_tells_what_it_waits_for(
    supervisor: Supervisor, python_child: PythonChild, reports: list[str], eventually: Eventually
) -> None:
    supervisor.spawn(python_child("worker", f"print('reading', flush=True)\n{FOREVER}"))
    worker = supervisor.children["worker"]
    eventually(lambda: worker.read_last_lines() == ["reading"])
    now = [100.0]
    waiting = Waiting(worker, [worker], report=reports.append, monotonic=lambda: now[0])

    for now[0] in (101.0, 103.0, 108.0, 111.0):
        waiting.go_on()

    assert len(reports) == 1
    assert reports[0].startswith("waiting for worker: 11 s so far, of which it was idle for ")
    assert reports[0].endswith(" s of the 60 s that it may be; reading")


def test_wait_raises_when_a_command_does_not_exist(supervisor: Supervisor, tmp_path: Path) -> None:
    spec = ChildSpec(name="ghost", command=("/nonexistent",), environment={}, working_dir=tmp_path / "none")
    supervisor.spawn(spec)

    with pytest.raises(StackError, match=r"ghost could not start: .*No such file or directory"):
        supervisor.wait_until_ready()


def test_stop_kills_a_whole_group_that_ignores_the_request(
    supervisor: Supervisor, python_child: PythonChild, tmp_path: Path, eventually: Eventually
) -> None:
    supervisor.spawn(python_child("stubborn", STUBBORN_FAMILY, stop_seconds=0.2))
    eventually((tmp_path / "family").exists)

    supervisor.stop()

    # The signal that nobody survives takes effect in its own time.
    eventually(lambda: all(is_gone(pid) for pid in family_of(tmp_path)))


def test_stop_ends_the_last_rank_first(
    supervisor: Supervisor, python_child: PythonChild, tmp_path: Path, eventually: Eventually
) -> None:
    program = """
import signal, sys
def end(*_):
    open('ended', 'a').write(sys.argv[1] + ' ')
    sys.exit()
signal.signal(signal.SIGTERM, end)
open(sys.argv[1], 'w')
while True: signal.pause()
"""
    for name in ("first", "second", "third"):
        spec = python_child(name, program)
        supervisor.spawn(ChildSpec(name=name, command=(*spec.command, name), environment={}, working_dir=tmp_path))
        eventually((tmp_path / name).exists)

    supervisor.stop()

    assert (tmp_path / "ended").read_text().split() == ["third", "second", "first"]


def test_children_die_when_the_supervisor_is_killed(tmp_path: Path, eventually: Eventually) -> None:
    program = f"""
from pathlib import Path
from app.stack.child import ChildSpec
from app.stack.supervisor import Supervisor
here = Path({str(tmp_path)!r})
supervisor = Supervisor(run_dir=here, log_dir=here, report=print)
command = ({sys.executable!r}, "-c", "import signal; signal.pause()")
supervisor.spawn(ChildSpec(name="worker", command=command, environment={{}}, working_dir=here))
supervisor.wait_until_ready()
print(supervisor.children["worker"].pid, flush=True)
import signal; signal.pause()
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())

        parent.kill()

    eventually(lambda: is_gone(child))


def test_leftovers_of_a_killed_supervisor_are_ended_with_their_group(
    data: DataDirectory, tmp_path: Path, eventually: Eventually
) -> None:
    with subprocess.Popen([sys.executable, "-c", STUBBORN_FAMILY], cwd=tmp_path, start_new_session=True) as orphan:
        eventually((tmp_path / "family").exists)
        record_process(data.run / "api.pid", orphan.pid, signal.SIGKILL)

        names = end_leftovers(data.run)

    assert names == ["api"]
    assert not list(data.run.glob("*.pid"))
    eventually(lambda: all(is_gone(pid) for pid in family_of(tmp_path)))


def test_copy_of_a_directory_ends_none_of_the_processes_of_the_original(data: DataDirectory, tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", FOREVER], start_new_session=True) as running:
        record_process(data.run / "api.pid", running.pid, signal.SIGTERM)
        copied = shutil.copytree(data.run, tmp_path / "copy")

        names = end_leftovers(copied)

        assert names == []
        assert list(copied.glob("*.pid")) == []
        assert running.poll() is None
        moved = data.run.rename(data.root / "moved")
        assert end_leftovers(moved) == ["api"]
        assert running.wait(30) == -signal.SIGTERM


def test_leftovers_spare_a_stranger_that_got_the_same_pid(data: DataDirectory) -> None:
    with subprocess.Popen([sys.executable, "-c", FOREVER], start_new_session=True) as stranger:
        record_process(data.run / "api.pid", stranger.pid, signal.SIGTERM)
        record = (data.run / "api.pid").read_text()
        began = str(read_identity(stranger.pid)).split(":")[1]
        (data.run / "api.pid").write_text(record.replace(f":{began}", ":1"))

        names = end_leftovers(data.run)

        assert names == []
        assert stranger.poll() is None
        os.kill(stranger.pid, signal.SIGKILL)
