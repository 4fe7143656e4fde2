"""When a unit of work was worked on, when it waited, and what for, in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from app.engine.runs.spells import SpellEnd
from app.engine.runs.work import UnitKind
from app.engine.status import FINAL_UNIT_STATUSES, UnitStatus
from app.engine.times import format_utc_for_people

_STANDS: Final[Mapping[UnitStatus, str]] = {
    UnitStatus.READY: "waits for a daemon",
    UnitStatus.LEASED: "a daemon works on it",
    UnitStatus.BLOCKED: "waits for the webhook's receiver",
    UnitStatus.IDLE: "nothing to deliver now",
    UnitStatus.DONE: "done",
    UnitStatus.FAILED: "given up",
    UnitStatus.CANCELLED: "the run ended first",
}
_WAITED: Final[Mapping[SpellEnd, str]] = {
    SpellEnd.TURN: "for a daemon",
    SpellEnd.LIMIT: "for the upstream's limit",
    SpellEnd.RETRY: "to be tried again",
    SpellEnd.RECEIVER: "for the webhook's receiver",
    SpellEnd.ACCOUNT: "for its account to be active",
    SpellEnd.IDLE: "for something to deliver",
    SpellEnd.LOST: "for another daemon, as its own was gone",
    SpellEnd.ENDED: "for the run to be resumed",
}
NOTICED: Final = timedelta(seconds=1)
"""A shorter wait is none that a person asks about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """A stretch of work, and why it ended: what the unit waited for next."""

    begun_at: datetime
    ended_at: datetime
    end: SpellEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A part of a unit's time: work, or a wait."""

    begun_at: datetime
    ended_at: datetime
    wait: SpellEnd | None = None
    """What it waited for; None: it was worked on."""

    def describe(self) -> str:
        """Return in words what it is, and how long."""
        length = format_length(self.ended_at - self.begun_at)
        return f"worked on for {length}" if self.wait is None else f"waited {length} {_WAITED[self.wait]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitSpan:
    """One unit of work: when it was there, when it was worked on, and what it waits for."""

    id: str
    resource: str | None
    """None: it delivers the run's events."""
    kind: UnitKind
    status: UnitStatus
    requests: int
    pages: int
    slices: int
    attempts: int
    """Claims since its last page."""
    created_at: datetime
    updated_at: datetime
    wake_at: datetime | None
    lease_expires_at: datetime | None
    daemon: str | None
    """The one that holds it, by its label; None: none does, or a process that is none."""
    held_since: datetime | None
    """When the spell under way began; of a unit that has ended, the last one."""
    worked: Sequence[Spell]
    """The newest spells before that one."""
    is_cut: bool
    """There were older ones, which are not kept."""

    def describe_wait(self, now: datetime, *, has_begun: bool) -> str:
        """Return in words what it does, or waits for."""
        match self.status:
            case UnitStatus.READY if self.wake_at is not None and self.wake_at > now:
                return self._describe_timer(self.wake_at)
            case UnitStatus.LEASED if self.lease_expires_at is not None and self.lease_expires_at < now:
                whose = "its daemon" if self.daemon is None else f"daemon {self.daemon}"
                seconds = (now - self.lease_expires_at).total_seconds()
                return f"{whose} let its lease expire {seconds:,.0f} s ago: another daemon takes it up"
            case UnitStatus.LEASED if self.daemon is not None:
                return f"daemon {self.daemon} works on it"
            case UnitStatus.BLOCKED if not has_begun:
                return "waits until the run starts"
            case _:
                return _STANDS[self.status]

    def describe_waits(self, now: datetime) -> str:
        """Return in words how long it has waited for what so far, the longest first; empty for no wait of a second."""
        lengths: dict[SpellEnd, timedelta] = {}
        for stretch in self.list_stretches(now):
            if stretch.wait is not None and stretch.ended_at - stretch.begun_at >= NOTICED:
                known = lengths.get(stretch.wait, timedelta())
                lengths[stretch.wait] = known + stretch.ended_at - stretch.begun_at
        ordered = sorted(lengths.items(), key=lambda one: one[1], reverse=True)
        return ", ".join(f"{format_length(length)} {_WAITED[wait]}" for wait, length in ordered)

    def list_stretches(self, now: datetime) -> Sequence[Stretch]:
        """List what is known of its time until now or its end, in order."""
        end = self.updated_at if self.status in FINAL_UNIT_STATUSES else now
        found, free_at, wait = list[Stretch](), None if self.is_cut else self.created_at, SpellEnd.TURN
        for spell in self.worked:
            if free_at is not None and spell.begun_at > free_at:
                found.append(Stretch(begun_at=free_at, ended_at=spell.begun_at, wait=wait))
            if spell.ended_at > spell.begun_at:
                found.append(Stretch(begun_at=spell.begun_at, ended_at=spell.ended_at))
            free_at, wait = spell.ended_at, spell.end
        until = end if self.held_since is None else self.held_since
        if free_at is not None and until > free_at:
            found.append(Stretch(begun_at=free_at, ended_at=until, wait=wait))
        if self.held_since is not None:
            found.append(Stretch(begun_at=self.held_since, ended_at=max(end, self.held_since)))
        return found

    def _describe_timer(self, wake_at: datetime) -> str:
        until = format_utc_for_people(wake_at)
        if self.kind is UnitKind.DELIVERY:
            return f"waits for the webhook's receiver, and is tried again at {until}"
        if self.attempts:
            return f"{self.attempts} attempts failed; it is tried again at {until}"
        if self.worked and self.worked[-1].end is SpellEnd.ACCOUNT:
            return f"its account is inactive; looked at again at {until}"
        return f"waits for the upstream's limit until {until}"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitSpans:
    """Some of a run's units, and how many there are in each status."""

    counts: Mapping[UnitStatus, int]
    shown: Sequence[UnitSpan]
    """Those that are not over, and the longest of the others, in the order of their creation."""

    @property
    def total(self) -> int:
        """Count all units."""
        return sum(self.counts.values())


def format_length(length: timedelta) -> str:
    """Write a length of time, for example ``3 min 20 s``."""
    seconds = length.total_seconds()
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"
