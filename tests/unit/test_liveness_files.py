"""Which daemons of this machine show that they take messages."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from app.liveness_files import LivenessFiles

URL = "postgresql://one/ferryman"


@pytest.fixture
def signs(tmp_path: Path) -> LivenessFiles:
    return LivenessFiles(URL, directory=tmp_path / "signs")


def test_daemon_that_took_a_message_lately_is_alive(signs: LivenessFiles) -> None:
    signs.write("a/b", group="eu", silent_seconds=3)

    assert signs.is_alive("eu", within_seconds=10)
    assert not signs.is_alive("eu", within_seconds=2)
    assert not signs.is_alive("us", within_seconds=10)


def test_daemon_of_another_database_does_not_count(signs: LivenessFiles, tmp_path: Path) -> None:
    signs.write("a", group="eu", silent_seconds=0)

    assert not LivenessFiles("postgresql://two/ferryman", directory=tmp_path / "signs").is_alive(
        "eu", within_seconds=10
    )


def test_daemon_that_signed_off_or_never_came_is_not_alive_and_leaves_nothing(
    signs: LivenessFiles, tmp_path: Path
) -> None:
    assert not signs.is_alive("eu", within_seconds=10)
    signs.write("a", group="eu", silent_seconds=0)
    signs.write("b", group="us", silent_seconds=0)

    signs.remove("a")
    signs.remove("a")
    assert not signs.is_alive("eu", within_seconds=10)
    assert signs.is_alive("us", within_seconds=10)

    signs.remove("b")
    assert list(tmp_path.iterdir()) == []


def test_sign_of_a_dead_process_is_swept_away(signs: LivenessFiles, tmp_path: Path) -> None:
    signs.write("a", group="eu", silent_seconds=0)
    (file,) = (tmp_path / "signs").iterdir()
    ended = subprocess.Popen([sys.executable, "-S", "-c", ""])
    ended.wait()
    file.write_text(json.dumps({**json.loads(file.read_text()), "pid": ended.pid}))

    assert not signs.is_alive("eu", within_seconds=10)
    assert not file.exists()


def test_last_daemon_leaves_nothing_of_one_that_was_killed(signs: LivenessFiles, tmp_path: Path) -> None:
    signs.write("killed", group="eu", silent_seconds=0)
    (file,) = (tmp_path / "signs").iterdir()
    ended = subprocess.Popen([sys.executable, "-S", "-c", ""])
    ended.wait()
    file.write_text(json.dumps({**json.loads(file.read_text()), "pid": ended.pid}))
    signs.write("last", group="eu", silent_seconds=0)

    signs.remove("last")

    assert list(tmp_path.iterdir()) == []


def test_broken_sign_is_no_sign(signs: LivenessFiles, tmp_path: Path) -> None:
    signs.write("a", group="eu", silent_seconds=0)
    (file,) = (tmp_path / "signs").iterdir()
    file.write_text("{")

    assert not signs.is_alive("eu", within_seconds=10)


def test_no_secret_of_the_url_is_written(tmp_path: Path) -> None:
    LivenessFiles("postgresql://u:secret@h/d", directory=tmp_path / "signs").write("a", group="eu", silent_seconds=0)

    (file,) = (tmp_path / "signs").iterdir()
    assert "secret" not in file.read_text()
