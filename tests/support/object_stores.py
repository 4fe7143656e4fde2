"""The contract that every object store keeps."""

from collections.abc import Callable

import pytest

from app.destinations.files.ports import ObjectStore
from app.destinations.files.probe import probe

ODD_NAMES = [
    "_ferryman/a b/c+d.json",
    "acme/ticketing%2Ftickets/tenant_id=t%201/date=2026-11-30/x.parquet",
    "acme/caf%C3%A9&co/x.parquet",
]


class ObjectStoreContract:
    """Tests of one store; a subclass has the fixtures ``store`` and ``enforces_conditions``."""

    def test_returns_what_was_put_and_puts_it_again(self, store: ObjectStore) -> None:
        for content in (b"one", b"", b"two" * 100_000):
            store.put("a/b.txt", content)

            assert store.get("a/b.txt") == content
        assert store.get("a/none.txt") is None

    @pytest.mark.parametrize("name", ODD_NAMES)
    def test_takes_every_name_that_is_made(self, store: ObjectStore, name: str) -> None:
        store.put(name, b"content")

        assert store.get(name) == b"content"
        assert [found.name for found in store.list(name.rpartition("/")[0])] == [name]

    def test_lists_what_is_below_a_folder_with_sizes(self, store: ObjectStore) -> None:
        for name in ("l/a/1", "l/a/b/2", "l/ab/3"):
            store.put(name, b"x" * len(name))

        assert sorted(store.list("l/a")) == [("l/a/1", 5), ("l/a/b/2", 7)]
        assert [found.name for found in store.list("l/none")] == []
        assert {"l/a/1", "l/ab/3"} <= {found.name for found in store.list("")}

    def test_lists_more_than_a_page(self, store: ObjectStore) -> None:
        names = [f"many/{number:04}" for number in range(self.many)]
        for name in names:
            store.put(name, b"x")

        assert sorted(found.name for found in store.list("many")) == names

    many = 60

    def test_removes_also_what_is_not_there(self, store: ObjectStore) -> None:
        for name in ("d/1", "d/2"):
            store.put(name, b"x")

        store.delete(["d/1", "d/none", "d/2"])
        store.delete([])

        assert [found.name for found in store.list("d")] == []

    def test_probe_says_whether_conditions_hold_and_leaves_nothing(
        self, store: ObjectStore, enforces_conditions: bool
    ) -> None:
        facts = probe(store)

        assert facts == {
            **dict.fromkeys(("writes", "reads", "lists", "deletes"), True),
            "enforces_conditions": enforces_conditions,
        }
        assert [found.name for found in store.list("_ferryman") if "probe" in found.name] == []


Open = Callable[..., ObjectStore]
