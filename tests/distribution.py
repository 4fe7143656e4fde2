"""Which worker of pytest-xdist runs which tests: a file stays with one, and so do files that share costly servers."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from xdist.scheduler import LoadFileScheduling


def mark_sharing(items: Sequence[pytest.Item]) -> None:
    """Mark the tests of files that share servers, which idle until the session ends: two workers have these.

    The first has the nodes of pytest-celery, and a third of the others' files; ``--dist loadgroup`` keeps what is
    marked alike together.
    """
    nodes = _files_with("node_environment", items)
    others = sorted(_files_with("ferryman", items) - nodes)
    groups = dict.fromkeys(nodes, 0) | {path: int(number % 3 > 0) for number, path in enumerate(others)}
    for item in items:
        if item.path in groups:
            item.add_marker(pytest.mark.xdist_group(f"servers-{groups[item.path]}"))


def is_sharing(item: pytest.Item) -> bool:
    """Whether it shares servers with tests of other files."""
    return item.get_closest_marker("xdist_group") is not None


class FilesAndGroups(LoadFileScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """Keeps the tests of a file together, and those of a group, whose name ends their ids."""

    def _split_scope(self, nodeid: str) -> str:
        path, _, group = nodeid.rpartition("@")
        return group if path and "]" not in group else super()._split_scope(nodeid)


def _files_with(fixture: str, items: Sequence[pytest.Item]) -> set[Path]:
    return {item.path for item in items if fixture in getattr(item, "fixturenames", ())}
