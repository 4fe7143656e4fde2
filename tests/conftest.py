"""What every test may ask for, and when a test can not run here."""

import functools
import gc
import warnings

import pytest
from hypothesis import settings

from app import interpreter
from tests import distribution
from tests.support.patience import WaitFor
from tests.support.patience import wait_for as patiently

_LONGEST = (
    "test_openapi_fuzz.py",
    "test_deaths_at_commits.py",
    "test_up.py",
    "test_changes_only.py",
    "test_pumped_runs.py",
    "test_resumed_runs.py",
    "test_demo.py",
    "test_deploy.py",
)

# Collecting thousands of tests took a quarter longer with garbage collections among them.
_THRESHOLDS = gc.get_threshold()
interpreter.collect_rarely()

# How long an example takes is the machine's; a bound on what a test is about, the test states itself.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no worker is left alone with it at the end.

    Those that share servers come late, since these have no rest from their start to the session's end; after them only
    come the many short files of unit tests, so that all workers end together.
    """
    distribution.mark_sharing(items)
    ranks = {name: rank for rank, name in enumerate(_LONGEST)}

    def rank(item: pytest.Item) -> tuple[int, bool, bool]:
        is_short = "tests/unit/" in item.path.as_posix()
        return ranks.get(item.path.name, len(ranks)), is_short, distribution.is_sharing(item) or is_short

    items.sort(key=rank)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> distribution.FilesAndGroups | None:
    """Keep files together beside groups, where groups are asked for."""
    return distribution.FilesAndGroups(config, log) if config.getoption("dist") == "loadgroup" else None


def pytest_collection_finish() -> None:
    """Collect garbage in the tests as often as any program does."""
    gc.set_threshold(*_THRESHOLDS)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs containers, with the reason, where no engine runs them."""
    if item.get_closest_marker("docker") and (reason := _missing_engine()):
        pytest.skip(reason)


@pytest.fixture(scope="session")
def wait_for() -> WaitFor:
    """Wait until something is there; fail when it takes too long."""
    return patiently


@functools.cache
def _missing_engine() -> str | None:
    import docker
    from docker.errors import DockerException

    with warnings.catch_warnings():
        # A client that found no engine leaves its socket to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            docker.from_env(timeout=5).ping()
        except DockerException as error:
            return f"no Docker engine answers here: {error}"
        finally:
            gc.collect()
    return None
