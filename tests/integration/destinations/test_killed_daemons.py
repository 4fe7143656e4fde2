"""A process that is killed between the target's commit and the cursor's, for real: nothing is lost, nothing doubled."""

import os
import subprocess
import sys
from pathlib import Path
from signal import SIGKILL

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


def test_a_daemon_that_is_killed_in_a_write_leaves_each_record_once(
    landing: Landing, target: TargetDatabase, tmp_path: Path
) -> None:
    destination, account = landing.destination(target.config, mode="append"), landing.account()
    landing.write(account, {str(n): {"n": n} for n in range(300)})
    landing.dispatch()
    failpoints.arm(tmp_path, Failpoint.BEFORE_CURSOR, 1)

    settings = landing.settings
    arguments = (settings.database_url, settings.encryption_key, settings.allowed_networks, destination, account)
    killed = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *arguments],
        env={**os.environ, "FERRYMAN_FAILPOINTS": str(tmp_path), "PYTHONPATH": str(Path.cwd())},
        check=False,
        capture_output=True,
    )

    assert killed.returncode == -SIGKILL, killed.stderr.decode()[-2000:]
    assert (target.rows(_COUNTS), landing.cursors(destination)[0].cursor) == ([(300, 300, 300)], 0)
    landing.write(account, {"0": {"n": -1}})
    landing.pass_time()
    landing.land()
    assert target.rows(_COUNTS) == [(301, 301, 301)]
    assert landing.verify(destination).is_equal
