"""Run the demo and the fast half of the tests on each Python from 3.11 on that this machine has; ``make test-pythons``.

Interpreters are looked for on the PATH and below ``~/.pyenv/versions``; arguments name others.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from uv import find_uv_bin

PROJECT_ROOT: Final = Path(__file__).parents[1]
PLACE: Final = PROJECT_ROOT / ".venv-pythons"
VERSIONS: Final = ("3.11", "3.12", "3.13", "3.14")
FAST_TESTS: Final = ("tests/unit",)


def main(named: list[str]) -> int:
    """Run all; return 1 when one of them failed, or none was found."""
    found = find_pythons([Path(name) for name in named])
    failed = [version for version, python in found.items() if not works_on(version, python)]
    print("\nPython of this machine:", sys.platform, os.uname().machine)
    for version in VERSIONS:
        verdict = "FAILED" if version in failed else "the demo and the fast tests passed"
        print(f"  {version}: {verdict if version in found else 'not found here, so its wheels alone are checked'}")
    return int(bool(failed) or not found)


def find_pythons(named: list[Path]) -> dict[str, Path]:
    """Return one interpreter of each version, those that are named first."""
    found: dict[str, Path] = {}
    for python in (*named, *_candidates()):
        if (version := _version_of(python)) in VERSIONS:
            found.setdefault(version, python)
    return dict(sorted(found.items()))


def works_on(version: str, python: Path) -> bool:
    """Whether the demo and the fast tests pass in an environment of that Python."""
    print(f"\n== Python {version} ({python})", flush=True)
    environment = PLACE / version
    executable = environment / "bin" / "python"
    locks = PROJECT_ROOT / "requirements"
    uv = (find_uv_bin(), "--no-python-downloads", "--quiet")
    into = ("--python", str(executable), "--link-mode", "copy")
    steps = (
        (*uv, "venv", "--clear", "--python", str(python), str(environment)),
        (*uv, "pip", "install", *into, "--require-hashes", "--requirement", str(locks / "dev.txt")),
        (*uv, "pip", "install", *into, "--no-deps", "--no-build-isolation", "--editable", str(PROJECT_ROOT)),
        (str(environment / "bin" / "ferryman"), "demo"),
        (str(executable), "-m", "pytest", "-q", "--numprocesses", "2", "--dist", "loadfile", *FAST_TESTS),
    )
    return all(subprocess.run(step, cwd=PROJECT_ROOT, check=False).returncode == 0 for step in steps)


def _candidates() -> Iterator[Path]:
    for directory in os.environ.get("PATH", os.defpath).split(os.pathsep):
        yield from (Path(directory) / f"python{version}" for version in VERSIONS)
    yield from sorted(Path.home().glob(".pyenv/versions/3.*/bin/python3"))


def _version_of(python: Path) -> str:
    """Return "3.11" or the like; empty for what is no Python, such as a shim that leads to none."""
    command = [str(python), "-c", "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except OSError:
        return ""
    return result.stdout.strip() if re.fullmatch(r"3\.\d+\n", result.stdout) else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
