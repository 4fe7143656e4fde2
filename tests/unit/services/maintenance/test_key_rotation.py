"""Rotating keys: what is sealed anew, what an interrupted rotation leaves, and which keys are removed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from app.services.maintenance.key_rotation import KeyRotation
from app.services.maintenance.ports import DataKey

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


@dataclass
class FakeKeys:
    """Keys, and their rows: each row is the id of the key that sealed it."""

    keys: dict[str, DataKey] = field(default_factory=dict)
    rows: list[str] = field(default_factory=list)
    wraps: dict[str, bytes] = field(default_factory=dict)
    dies_after: int | None = None
    pauses: list[float] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    """What other processes seal with the old key meanwhile."""
    refused_with: list[list[str]] = field(default_factory=list)
    """The rows as they were when the format before began to be refused."""

    def read_current(self) -> tuple[str, bytes] | None:
        return next(((key.id, b"") for key in self.keys.values() if key.retired_at is None), None)

    def list(self) -> Sequence[DataKey]:
        return sorted(self.keys.values(), key=lambda key: key.id, reverse=True)

    def list_wrapped(self) -> Mapping[str, bytes]:
        return dict(self.wraps)

    def rewrap(self, key_id: str, wrapped: bytes) -> None:
        self.wraps[key_id] = wrapped

    def wrap_anew(self, key_id: str, wrapped: bytes) -> bytes:
        return f"{key_id} new ".encode() + wrapped

    def refuse_unbound(self) -> None:
        self.refused_with.append(list(self.rows))

    def remove(self, key_id: str, *, retired_for_seconds: float) -> bool:
        return key_id != "recent" and self.keys.pop(key_id, None) is not None

    def rotate(self, old_key_id: str | None) -> tuple[str, bytes]:
        if old_key_id:
            self.keys[old_key_id] = replace(self.keys[old_key_id], retired_at=NOON)
        made = DataKey(id=f"key-{len(self.keys)}", created_at=NOON, retired_at=None)
        self.keys[made.id] = made
        return made.id, b""

    def reseal_some(self, key_id: str, *, limit: int, unreadable: set[str]) -> int:
        outdated = [index for index, row in enumerate(self.rows) if row != key_id and str(index) not in unreadable]
        for index in outdated[:limit]:
            if self.rows[index] == "gone":
                unreadable.add(str(index))
                continue
            if self.dies_after == 0:
                raise KeyboardInterrupt
            self.dies_after = None if self.dies_after is None else self.dies_after - 1
            self.rows[index] = key_id
        return len(outdated[:limit])

    def count_by_key(self) -> Mapping[str, int]:
        return Counter(self.rows)

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.rows += self.late
        self.late = []


def rotation(fake: FakeKeys) -> KeyRotation:
    return KeyRotation(
        keys=fake,
        make_key=fake.rotate,
        rewrap_key=fake.wrap_anew,
        count_by_key=fake.count_by_key,
        reseal_some=fake.reseal_some,
        pause=fake.pause,
    )


def test_the_first_rotation_makes_a_key_and_seals_everything() -> None:
    fake = FakeKeys(rows=[""] * 250)

    rotated = rotation(fake).rotate()

    assert (rotated.key_id, rotated.rows, rotated.went_on) == ("key-0", 250, False)
    assert set(fake.rows) == {"key-0"}


def test_a_rotation_that_died_goes_on_with_its_key() -> None:
    fake = FakeKeys(keys={"old": DataKey(id="old", created_at=NOON, retired_at=None)}, rows=["old"] * 5, dies_after=2)
    with pytest.raises(KeyboardInterrupt):
        rotation(fake).rotate()
    fake.dies_after = None

    rotated = rotation(fake).rotate()

    assert (rotated.key_id, rotated.rows, rotated.went_on) == ("key-1", 3, True)
    assert set(fake.rows) == {"key-1"}
    assert fake.refused_with == [["key-1"] * 5]


def test_rows_that_do_not_open_keep_nobody_from_a_new_key() -> None:
    fake = FakeKeys(
        keys={"recent": DataKey(id="recent", created_at=NOON, retired_at=None)}, rows=["gone"] * 150 + ["recent"] * 3
    )

    first, second = rotation(fake).rotate(), rotation(fake).rotate()

    assert [(one.key_id, one.rows, one.went_on, len(one.unreadable)) for one in (first, second)] == [
        ("key-1", 3, False, 150),
        ("key-2", 3, False, 150),
    ]
    assert Counter(fake.rows) == {"gone": 150, "key-2": 3}
    assert fake.refused_with == []


def test_what_was_sealed_with_the_old_key_meanwhile_is_sealed_anew() -> None:
    fake = FakeKeys(keys={"old": DataKey(id="old", created_at=NOON, retired_at=None)}, rows=["old"], late=["old"])

    rotated = rotation(fake).rotate()

    assert (rotated.rows, set(fake.rows)) == (2, {"key-1"})
    assert fake.pauses == [2.0]


def test_keys_that_nothing_needs_are_removed_unless_they_retired_just_now() -> None:
    retired = {id: DataKey(id=id, created_at=NOON, retired_at=NOON) for id in ("unused", "recent")}
    fake = FakeKeys(keys=retired)

    rotated = rotation(fake).rotate()

    assert rotated.removed == ["unused"]
    assert fake.keys.keys() == {"recent", rotated.key_id}


def test_every_key_is_wrapped_by_the_first_master_key() -> None:
    fake = FakeKeys(wraps={"old": b"key"})

    rotation(fake).rotate()

    assert fake.wraps == {"old": b"old new key"}


def test_the_list_tells_how_much_each_key_seals() -> None:
    fake = FakeKeys(keys={"old": DataKey(id="old", created_at=NOON, retired_at=None)}, rows=["old", "old", ""])

    assert [(use.id, use.rows) for use in rotation(fake).list()] == [("old", 2), ("", 1)]
    fake.rows = []
    assert [(use.id, use.rows) for use in rotation(fake).list()] == [("old", 0)]
