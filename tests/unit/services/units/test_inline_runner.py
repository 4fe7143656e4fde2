"""One run in one process: taken up when it may be, worked on while something is due, settled until it is over."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.engine.status import RunStatus
from app.services.units.inline_runner import InlineRunner


@dataclass
class Alone:
    """A run with units that are due at one look after the other, and everything that is done about it."""

    looks: list[Sequence[str]]
    taken: list[bool] = field(default_factory=lambda: [True])
    state: RunStatus | None = RunStatus.CREATED
    done: list[str] = field(default_factory=list)

    def status(self, run_id: str) -> RunStatus | None:
        return self.state

    def find_due_units(self, run_id: str) -> Sequence[str]:
        return self.looks.pop(0)

    def work(self, unit_id: str) -> object:
        self.done.append(unit_id)
        return None

    def mark_running(self, run_id: str, *, daemon_id: str) -> bool:
        self.done.append(f"taken by {daemon_id}")
        return self.taken.pop(0)

    def start(self, run_id: str) -> object:
        self.done.append("begin")
        return None

    def settle(self, run_id: str) -> None:
        self.done.append("settle")
        self.state = RunStatus.RUNNING if self.looks else RunStatus.COMPLETED

    def carry_out(self) -> list[str]:
        def pause(_seconds: float) -> None:
            self.done.append("pause")

        out = InlineRunner(
            read_status=self.status,
            list_due_units=self.find_due_units,
            worker=self,  # type: ignore[arg-type]
            lifecycle=self,  # type: ignore[arg-type]
            pause=pause,
            name="me",
        )
        out.run("run", on_start=lambda: self.done.append("start"))
        return self.done


def test_units_are_worked_on_until_the_run_is_over() -> None:
    alone = Alone([["a", "b"], [], ["c"]])

    assert alone.carry_out() == [
        *("taken by me", "start", "begin", "settle"),
        *("a", "b", "settle", "settle", "pause", "c", "settle"),
    ]


def test_run_that_waits_for_a_mutex_is_tried_again() -> None:
    alone = Alone([[]], taken=[False, True])

    assert alone.carry_out()[:4] == ["taken by me", "pause", "taken by me", "start"]


def test_run_that_was_stopped_or_removed_before_it_began_is_left_alone() -> None:
    for state in (RunStatus.STOPPED, None):
        assert Alone([], taken=[False], state=state).carry_out() == ["taken by me"]
