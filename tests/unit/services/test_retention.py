"""The rhythm of forgetting: one batch a step, each duty in its turn, and a rest after each pass."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from app.services.retention import BATCH, ExpiredRun, Retention
from app.settings import Settings

SETTINGS = Settings(database_url="", broker_url="", encryption_key="")


@dataclass
class FakeAttic:
    """Counts what is left, and notes each thing that was forgotten."""

    bodies: int = 0
    rows_of_runs: dict[str, int] = field(default_factory=dict)
    kept_runs: frozenset[str] = frozenset()
    done: list[str] = field(default_factory=list)

    def forget_bodies(self, *, seconds: float, limit: int) -> int:
        self.done.append("bodies")
        removed = min(self.bodies, limit)
        self.bodies -= removed
        return removed

    def forget_tombstones(self, *, seconds: float, limit: int) -> int:
        return self._nothing("tombstones")

    def forget_keys(self, *, limit: int) -> int:
        return self._nothing("keys")

    def forget_messages(self, *, limit: int) -> int:
        return self._nothing("messages")

    def forget_daemons(self, *, seconds: float, limit: int) -> int:
        return self._nothing("daemons")

    def forget_fires(self, *, seconds: float, limit: int) -> int:
        return self._nothing("fires")

    def forget_calls(self, *, seconds: float, limit: int) -> int:
        return self._nothing("calls")

    def forget_announcements(self, *, seconds: float, limit: int) -> int:
        return self._nothing("announcements")

    def forget_told(self, *, seconds: float, limit: int) -> int:
        return self._nothing("told")

    def expired_runs(self, *, seconds: float, after: tuple[object, str] | None, limit: int) -> Sequence[ExpiredRun]:
        self.done.append("runs")
        start = "" if after is None else after[1]
        names = sorted(name for name in self.rows_of_runs if name > start)[:2]
        return [ExpiredRun(id=name, place=(0, name), may_go=name not in self.kept_runs) for name in names]

    def forget_run(self, run_id: str, *, seconds: float, limit: int) -> int:
        removed = min(self.rows_of_runs.get(run_id, 0), limit)
        self.done.append(f"{run_id}: {removed}")
        if removed:
            self.rows_of_runs[run_id] -= removed
        else:
            self.rows_of_runs.pop(run_id, None)
        return removed

    def _nothing(self, what: str) -> int:
        self.done.append(what)
        return 0


def steps(attic: FakeAttic, count: int, settings: Settings = SETTINGS, now: float = 0.0) -> list[str]:
    retention = Retention(attic, settings, monotonic=lambda: now)
    for _ in range(count):
        retention.step()
    return attic.done


def test_each_duty_has_its_turn_and_then_there_is_a_rest() -> None:
    duties = ["bodies", "tombstones", "told", "keys", "messages", "daemons", "fires", "calls", "announcements", "runs"]
    assert steps(FakeAttic(), 20) == duties


def test_duty_with_more_to_do_goes_on_before_the_next() -> None:
    assert steps(FakeAttic(bodies=2 * BATCH + 1), 4) == ["bodies", "bodies", "bodies", "tombstones"]


def test_runs_go_one_after_the_other_and_those_that_are_needed_stay() -> None:
    attic = FakeAttic(rows_of_runs={"a": BATCH + 3, "b": 1, "c": 0}, kept_runs=frozenset({"b"}))

    done = steps(attic, 20)

    assert done[9:] == ["runs", f"a: {BATCH}", "a: 3", "a: 0", "runs", "c: 0", "runs"]
    assert set(attic.rows_of_runs) == {"b"}


def test_next_pass_begins_after_the_rest() -> None:
    now, attic = [0.0], FakeAttic()
    retention = Retention(attic, SETTINGS, monotonic=lambda: now[0])

    for now[0] in range(0, 700):
        retention.step()

    assert attic.done.count("runs") == 3


def test_zero_keeps_for_ever() -> None:
    settings = replace(
        SETTINGS,
        run_retention_seconds=0,
        delivered_retention_seconds=0,
        tombstone_retention_seconds=0,
        daemon_retention_seconds=0,
    )

    assert steps(FakeAttic(bodies=5, rows_of_runs={"a": 1}), 20, settings) == ["keys", "messages"]
