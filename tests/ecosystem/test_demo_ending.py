"""The demo at a terminal: its last run is watched by its link, a daemon is killed by its button, and Enter ends all."""

import html
import os
import pty
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest
import requests

from tests.support.patience import LONGEST_SECONDS, wait_for

PROJECT_ROOT = Path(__file__).parents[2]


class Terminal:
    """A terminal that the demo runs at."""

    def __init__(self, temporary: Path) -> None:
        ours, theirs = pty.openpty()
        environment = {name: value for name, value in os.environ.items() if name != "CI"}
        self.process = subprocess.Popen(
            (sys.executable, "-m", "app.cli", "demo"),
            cwd=PROJECT_ROOT,
            env={**environment, "TMPDIR": str(temporary), "TERM": "dumb"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self._ours = ours
        self._read = bytearray()
        self._reader = threading.Thread(target=self._listen)
        self._reader.start()

    @property
    def text(self) -> str:
        """What it shows."""
        return self._read.decode(errors="replace")

    def press_enter(self) -> None:
        os.write(self._ours, b"\n")

    def close(self) -> None:
        """End what may still run; its children end with it."""
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(LONGEST_SECONDS)
        self._reader.join()
        os.close(self._ours)

    def _listen(self) -> None:
        try:
            while piece := os.read(self._ours, 65536):
                self._read += piece
        except OSError:  # nobody holds the other end any more
            return


@pytest.fixture
def temporary() -> Iterator[Path]:
    """Not tmp_path, which is too long for the sockets within."""
    with TemporaryDirectory() as name:
        yield Path(name)


@pytest.fixture
def terminal(temporary: Path) -> Iterator[Terminal]:
    terminal = Terminal(temporary)
    yield terminal
    terminal.close()


class Person:
    """Somebody with a browser, who reads the forms of pages."""

    def __init__(self, link: str) -> None:
        self._session = requests.Session()
        self._url, self._page = link.split("/ui/", maxsplit=1)[0], link
        self.show()

    def show(self) -> str:
        """Load the page anew."""
        answer = self._session.get(self._page, timeout=30)
        answer.raise_for_status()
        self._text = answer.text
        return self.words

    @property
    def words(self) -> str:
        return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", self._text)).split())

    def press(self, label: str) -> None:
        """Send the first form whose button begins with a label."""
        for attributes, inner in re.findall(r"<form ([^>]*)>(.*?)</form>", self._text, re.DOTALL):
            if re.search(rf"<button[^>]*>{label}", inner):
                fields = {
                    name: html.unescape(value)
                    for name, value in re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', inner)
                }
                action = re.search(r'action="([^"]*)"', attributes)
                assert action
                answer = self._session.post(f"{self._url}{html.unescape(action[1])}", data=fields, timeout=30)
                answer.raise_for_status()
                self._text, self._page = answer.text, answer.url
                return
        pytest.fail(f"no button {label}: {self.words}")


def find_link(terminal: Terminal) -> Callable[[], str | None]:
    def look() -> str | None:
        assert terminal.process.poll() is None, terminal.text
        found = re.search(r"http://\S+/ui/sign-in\?code=\S+", terminal.text)
        return found[0] if found and "Enter stops" in terminal.text else None

    return look


def find_daemons(terminal: Terminal) -> set[int]:
    """The processes of Celery's workers that the demo has started, without those that they have forked."""
    found = set()
    for one in psutil.Process(terminal.process.pid).children(recursive=True):
        try:
            if "celery" in " ".join(one.cmdline()):
                found.add(one.pid)
        except psutil.Error:
            continue
    return found


def test_daemon_is_killed_on_the_page_of_the_last_run_and_its_books_balance(
    terminal: Terminal, temporary: Path
) -> None:
    link = wait_for(find_link(terminal), what="the link")
    assert "Every count is exactly what the upstream holds." in terminal.text
    person = Person(link)
    person.press("Sign in")
    wait_for(lambda: "Kill a daemon meanwhile" in person.show(), what="a live run")
    before = find_daemons(terminal)
    person.press("Kill default-")
    assert "was killed" in person.words

    wait_for(lambda: before - find_daemons(terminal), what="the end of a daemon")
    wait_for(lambda: "Took" in person.show(), what="the end of the run")
    words = person.words
    assert "It completed without an error." in words
    assert "Books balance" in words
    assert "4,998 fetched" in words
    children = psutil.Process(terminal.process.pid).children(recursive=True)
    terminal.press_enter()

    assert terminal.process.wait(LONGEST_SECONDS) == 0, terminal.text
    assert psutil.wait_procs(children, timeout=LONGEST_SECONDS)[1] == []
    assert list(temporary.iterdir()) == []
