"""How the leader finds out who is there, and when it may say that somebody is not."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import pytest

from app.engine.errors import BrokerUnavailableError, StoreUnavailableError
from app.services.maintenance.heartbeats import HeartbeatCollector
from app.services.maintenance.ports import Heartbeat

SILENCE = 40.0


@dataclass
class Reports:
    """A broker that holds reports, or is away."""

    waiting: list[Heartbeat] = field(default_factory=list)
    is_away: bool = False

    def collect(self, *, limit: int) -> Sequence[Heartbeat]:
        if self.is_away:
            raise BrokerUnavailableError
        taken, self.waiting = self.waiting[:limit], self.waiting[limit:]
        return taken


@dataclass
class FakeRegistry:
    """Remembers what it was told."""

    noted: list[tuple[dict[str, float | None], float | None]] = field(default_factory=list)
    silent: int = 0

    def record_heartbeats(self, heartbeats: Sequence[Heartbeat], *, silence_seconds: float | None) -> int:
        self.noted.append(
            ({heartbeat.daemon_id: heartbeat.silent_seconds for heartbeat in heartbeats}, silence_seconds)
        )
        return self.silent


def heartbeat(daemon_id: str, silent_seconds: float | None = 1.0) -> Heartbeat:
    return Heartbeat(daemon_id=daemon_id, silent_seconds=silent_seconds)


def heartbeat_collector(reports: Reports, registry: FakeRegistry, now: list[float]) -> HeartbeatCollector:
    return HeartbeatCollector(
        collect=partial(reports.collect, limit=2000),
        record=registry.record_heartbeats,
        silence_seconds=SILENCE,
        monotonic=lambda: now[0],
    )


def test_leader_takes_down_the_last_report_of_each_daemon() -> None:
    registry = FakeRegistry()

    heartbeat_collector(Reports([heartbeat("a", None), heartbeat("b"), heartbeat("a", 2.0)]), registry, [0.0]).collect()

    assert registry.noted == [({"a": 2.0, "b": 1.0}, None)]


def test_leader_judges_nobody_before_it_has_listened_long_enough() -> None:
    registry, now = FakeRegistry(), [0.0]
    collector = heartbeat_collector(Reports(), registry, now)

    for now[0] in (0.0, 39.0, 40.0):
        collector.collect()

    assert [silence for _, silence in registry.noted] == [None, None, SILENCE]


def test_leader_begins_to_listen_anew_after_the_broker_was_away() -> None:
    reports, registry, now = Reports(), FakeRegistry(), [0.0]
    collector = heartbeat_collector(reports, registry, now)
    collector.collect()

    now[0], reports.is_away = 50.0, True
    collector.collect()
    now[0], reports.is_away = 60.0, False
    collector.collect()
    now[0] = 100.0
    collector.collect()

    assert [silence for _, silence in registry.noted] == [None, None, SILENCE]


@pytest.mark.parametrize(("silent", "warnings"), [(2, ["daemons fell silent"]), (0, [])])
def test_leader_warns_of_daemons_that_fell_silent(
    silent: int, warnings: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        heartbeat_collector(Reports(), FakeRegistry(silent=silent), [0.0]).collect()

    assert caplog.messages == warnings


@dataclass
class ChoosyRegistry(FakeRegistry):
    """Can not take some daemons down."""

    breaks_by: Exception = field(default_factory=ValueError)

    def record_heartbeats(self, heartbeats: Sequence[Heartbeat], *, silence_seconds: float | None) -> int:
        if any(heartbeat.daemon_id == "poisoned" for heartbeat in heartbeats):
            raise self.breaks_by
        return super().record_heartbeats(heartbeats, silence_seconds=silence_seconds)


def test_report_that_can_not_be_taken_down_leaves_the_others_theirs() -> None:
    registry = ChoosyRegistry()
    reports = Reports([heartbeat("a"), heartbeat("poisoned"), heartbeat("b")])

    heartbeat_collector(reports, registry, [0.0]).collect()

    assert registry.noted == [({"a": 1.0}, None), ({"b": 1.0}, None), ({}, None)]


def test_collector_that_finds_postgres_away_raises() -> None:
    registry = ChoosyRegistry(breaks_by=StoreUnavailableError())

    with pytest.raises(StoreUnavailableError):
        heartbeat_collector(Reports([heartbeat("a"), heartbeat("poisoned")]), registry, [0.0]).collect()

    assert registry.noted == []
