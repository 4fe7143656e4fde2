"""A process that is killed between the target's commit and the cursor's, for real: nothing is lost, nothing doubled."""

import os
import subprocess
import sys
from pathlib import Path
from signal import SIGKILL
from typing import Any

from app import failpoints
from app.failpoints import Failpoint
from tests.support.landing import Landing
from tests.support.target import TargetDatabase

_PROGRAM = """
import sys
from app.bootstrap.daemon import build_daemon_services
from app.settings import Settings

url, key, networks, destination, account = sys.argv[1:]
settings = Settings(database_url=url, broker_url="memory://", encryption_key=key, allowed_networks=networks)
build_daemon_services(settings).destination_worker.work(destination, account)
"""
_COUNTS = "select count(*), count(distinct (remote_id, sequence)), max(sequence) from acme.tickets"


def _die(landing: Landing, destination: str, account: str, place: Path, point: Failpoint) -> Any:
    """Write in a process that dies at a failpoint."""
    failpoints.arm(place, point, 1)
    settings = landing.settings
    arguments = (settings.database_url, settings.encryption_key, settings.allowed_networks, destination, account)
    return subprocess.run(
        [sys.executable, "-c", _PROGRAM, *arguments],
        env={**os.environ, "FERRYMAN_FAILPOINTS": str(place), "PYTHONPATH": str(Path.cwd())},
        check=False,
        capture_output=True,
    )


def test_a_daemon_that_is_killed_in_a_write_leaves_each_record_once(
    landing: Landing, target: TargetDatabase, tmp_path: Path
) -> None:
    destination, account = landing.destination(target.config, mode="append"), landing.account()
    landing.write(account, {str(n): {"n": n} for n in range(300)})
    landing.dispatch()
    killed = _die(landing, destination, account, tmp_path, Failpoint.BEFORE_CURSOR)

    assert killed.returncode == -SIGKILL, killed.stderr.decode()[-2000:]
    assert (target.rows(_COUNTS), landing.cursors(destination)[0].cursor) == ([(300, 300, 300)], 0)
    landing.write(account, {"0": {"n": -1}})
    landing.pass_time()
    landing.land()
    assert target.rows(_COUNTS) == [(301, 301, 301)]
    assert landing.verify(destination).is_equal


def test_a_record_that_was_refused_is_left_out_once_whenever_a_daemon_dies(
    landing: Landing, target: TargetDatabase, tmp_path: Path
) -> None:
    destination, account = landing.destination(target.config), landing.account()
    landing.write(account, {"0": {"n": 1}})
    landing.land()
    target.execute("alter table acme.tickets add check (n > 0)")
    landing.write(account, {str(n): {"n": n - 1} for n in range(1, 5)})
    found = []

    for point in (Failpoint.BEFORE_REST, Failpoint.BEFORE_CURSOR):
        landing.dispatch()
        killed = _die(landing, destination, account, tmp_path, point)
        landing.pass_time()
        listed = landing.api.landing.destinations.list_quarantined(
            landing.environment, destination, cursor=None, limit=9
        ).result
        held = target.rows("select count(*) from acme.tickets")
        found.append(
            (killed.returncode, [one.remote_id for one in listed], held, landing.cursors(destination)[0].cursor)
        )
    landing.land()

    assert found == [(-SIGKILL, ["1"], [(1,)], 1), (-SIGKILL, ["1"], [(4,)], 1)]
    (cursor,) = landing.cursors(destination)
    assert (cursor.read, cursor.written, cursor.unchanged, cursor.quarantined) == (5, 1, 3, 1)
    assert landing.verify(destination).is_equal
