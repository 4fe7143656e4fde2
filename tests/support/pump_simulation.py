"""Several daemons at once, interleaved by one seeded scheduler that also loses, doubles, kills and lets time pass.

Each daemon is a thread, but only one of them ever runs: it goes on until its next effect (a transaction, a request, a
delivery, a message), and there the scheduler decides who is next, or that the daemon dies. One seed is one history, as
far as Postgres' own choices (ids) do not matter.
"""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, event

from app.bootstrap.daemon import DaemonServices, build_daemon_services
from app.store.db.database import connect
from tests.support.patience import wait_for
from tests.support.pump import Mailbox, Message, World, handle, sweep
from tests.support.pump_database import KilledError, Outcome, PumpDatabase
from tests.support.pump_jobs import Job

_DAEMONS = 3
"""Each takes one message at a time, beside the leader, which only sweeps."""
_MOST_STEPS = 20_000
_STUCK_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """How often what goes wrong, of all that happens."""

    lose: float = 0.05
    double: float = 0.1
    kill: float = 0.01
    sleep: float = 0.01
    """An hour passes: every lease that is held runs out, and its holder does not know."""
    sweep: float = 0.01


class Actor:
    """One daemon's thread, which runs only when told to."""

    def __init__(self, daemon: DaemonServices, act: Callable[[], object]) -> None:
        self.daemon = daemon
        self.is_doomed = False
        self.is_over = False
        self.error: BaseException | None = None
        self._act = act
        self._go, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def step(self) -> None:
        """Let it run up to its next effect."""
        self._go.release()
        assert self._back.acquire(timeout=_STUCK_SECONDS), "a daemon waits for a lock that another one holds"

    def pause(self) -> None:
        """Stand still before an effect, in the thread itself; die there when doomed."""
        if threading.current_thread() is not self._thread or self.is_doomed:
            return
        self._back.release()
        self._go.acquire()
        if self.is_doomed:
            raise KilledError

    def _run(self) -> None:
        self._go.acquire()
        try:
            self._act()
        except KilledError:
            pass
        except BaseException as error:  # told to the test
            self.error = error
        self.is_over = True
        self._back.release()


@dataclass
class LossyMailbox(Mailbox):
    """Loses and doubles messages by chance, and delivers them in any order."""

    weather: Weather = field(default_factory=Weather)
    on_send: Callable[[], object] = lambda: None

    def send(self, *messages: Message) -> None:
        self.on_send()
        assert self.chance is not None
        for message in messages:
            luck = self.chance.random()
            if luck >= self.weather.lose:
                self.waiting.extend([message] * (2 if luck > 1 - self.weather.double else 1))


class Simulation:
    """One run under three daemons, until nothing is left of it."""

    def __init__(self, database: PumpDatabase, job: Job, seed: int, weather: Weather, **limits: Any) -> None:
        self.kills = 0
        self.chance = random.Random(seed)
        self.weather = weather
        self.mailbox = LossyMailbox(chance=self.chance, weather=weather)
        self.world = World(database, job, self.mailbox, limits=limits)
        self.run_id = self.world.post()
        self._actors: list[Actor] = []
        self._engine = self._pausing_engine()
        self._idle = [self._fresh_daemon() for _ in range(_DAEMONS)]
        wait_for(self._lead, what="the lead")
        self.world.api.on_ask = self.world.receiver.on_send = self.mailbox.on_send = self._pause

    def run(self) -> Outcome:
        """Let things happen until the run is over and nobody is at work."""
        for _ in range(_MOST_STEPS):
            self._happen()
            for actor in [actor for actor in self._actors if actor.is_over]:
                self._take_leave(actor)
            if not self._actors and not self.mailbox.waiting and self.world.database.is_over(self.run_id):
                return self.world.database.outcome(self.run_id)
        raise AssertionError(f"the run came to no end: {self.world.database.outcome(self.run_id)}")

    def close(self) -> None:
        """Kill who is still at work and let go of the connections."""
        for actor in self._actors:
            actor.is_doomed = True
            actor.step()
        self._leader.leadership.resign()
        self._engine.dispose()

    def _happen(self) -> None:
        luck, weather = self.chance.random(), self.weather
        is_quiet = not self._actors and not self.mailbox.waiting
        if is_quiet or luck < weather.sleep:
            self.world.database.pass_time(self.run_id)
        # The leader's duties take turns at a lock: a second sweep of the same process could wait for the first.
        is_sweeping = any(actor.daemon is self._leader for actor in self._actors)
        if not is_sweeping and (is_quiet or luck < weather.sweep):
            self._actors.append(Actor(self._leader, lambda: sweep(self._leader)))
        elif self._idle and self.mailbox.waiting and self.chance.random() < 0.5:
            self._take_up(self._idle.pop())
        elif self._actors:
            self._step(self.chance.choice(self._actors))

    def _take_up(self, daemon: DaemonServices) -> None:
        message = self.mailbox.take()
        assert message is not None
        self._actors.append(Actor(daemon, lambda: handle(daemon, self.mailbox, message)))

    def _step(self, actor: Actor) -> None:
        if self.chance.random() < self.weather.kill:
            actor.is_doomed = True
            self.kills += 1
        actor.step()

    def _take_leave(self, actor: Actor) -> None:
        self._actors.remove(actor)
        if actor.error is not None:
            raise actor.error
        if actor.daemon is not self._leader:
            self._idle.append(self._fresh_daemon() if actor.is_doomed else actor.daemon)

    def _lead(self) -> bool:
        self._leader = self._fresh_daemon()
        return self._leader.leadership.is_held()

    def _fresh_daemon(self) -> DaemonServices:
        return build_daemon_services(self.world.settings, self.world.outside(self._engine))

    def _pausing_engine(self) -> Engine:
        engine = connect(self.world.database.url, pool_size=8)
        event.listen(engine, "checkout", lambda *_: self._pause())
        return engine

    def _pause(self) -> None:
        for actor in self._actors:
            actor.pause()
