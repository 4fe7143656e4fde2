"""Runs that keep what they and their upstream say to each other, or are played back from it."""

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Final

import click

from app.bootstrap.in_process import InProcess, in_process
from app.cli.operating.operators import joined_settings
from app.cli.running.following import follow_run
from app.client import find_token
from app.engine.errors import ForbiddenError
from app.engine.ids import new_id
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.environments import EnvironmentId, Role
from app.engine.objects.runs import show_run
from app.engine.runs.increments import LowerBounds
from app.engine.status import ErrorHandling
from app.services.runs.requests import RunRequest
from app.settings import Settings
from app.sources.cassettes.cassettes import CassetteError, CassettePlayer, CassetteRecorder

_FACTS: Final = ("sync_job_id", "integrated_account_id", "args", "previous_run_date", "started_at")
_OWN_BOUNDS: Final = "previous_run_dates"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The database that a run is carried out on, and the token of whoever does it."""

    settings: Settings
    token: str = field(repr=False)

    @classmethod
    def of(cls, data_dir: Path, token: str | None, environ: Mapping[str, str]) -> "Place":
        """Return the one that DATABASE_URL names, or else the stack that runs on a directory."""
        settings = joined_settings(None if environ.get("DATABASE_URL") else data_dir, environ)
        return cls(settings=settings, token=find_token(token, data_dir))


def record(place: Place, body: JsonObject, path: Path, *, quiet: bool) -> JsonObject:
    """Carry a run out in this process and keep its exchanges in a file; give the run as it ended."""
    try:
        # Records are a customer's data.
        file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w")
    except OSError as error:
        raise CassetteError(f"can not write {path}: {error.strerror or error}") from error
    with file:
        recorder = CassetteRecorder(file)
        group_key = _group_key()
        here = in_process(place.settings, recorder.around, is_offline=False, group_key=group_key)
        environment = _environment(here, place.token)
        run, _ = here.api.runs.create(environment, replace(_request(body), daemon_group_key=group_key))

        def begin() -> None:
            shown = show_run(here.api.runs.get(environment, run.id))
            recorder.begin({**{name: shown[name] for name in _FACTS}, _OWN_BOUNDS: _own_bounds(shown)})

        ended = _carried_out(here, environment, run.id, begin, quiet=quiet)
        recorder.end()
    click.echo(f"{recorder.count} exchanges are in {path}", err=True)
    return ended


def replay(place: Place, body: JsonObject, path: Path, *, quiet: bool) -> tuple[JsonObject, bool]:
    """Carry a run out from a file, without any network; give the run, and whether the file had all that it asked for.

    It asks from when the recorded one asked, with its arguments unless there are others, and is no run that an
    increment goes on from.
    """
    player = CassettePlayer.read(path)
    group_key = _group_key()
    here = in_process(place.settings, player.around, is_offline=True, group_key=group_key)
    environment = _environment(here, place.token)
    request = _request(body)
    args = request.args or player.facts.get("args") or {}
    asked = replace(request, args=args, daemon_group_key=group_key, is_apart=True)
    run, _ = here.api.runs.create(environment, asked)
    here.runs.set_back(run.id, _bounds(player.facts), started_at=_time(player.facts, "started_at"))
    ended = _carried_out(here, environment, run.id, lambda: None, quiet=quiet)
    for request_name in player.missing:
        click.echo(f"the cassette has no answer to {request_name}", err=True)
    return ended, not player.missing


def _request(body: JsonObject) -> RunRequest:
    handling = ErrorHandling(body.get("error_handling", ErrorHandling.IGNORE))
    return RunRequest(**{**body, "error_handling": handling})


def _environment(here: InProcess, token: str) -> EnvironmentId:
    """Return the environment of a token that may run jobs."""
    found = here.api.tokens.authenticate(token)
    if not found.role.covers(Role.RUN):
        raise ForbiddenError(f"a token with the role '{Role.RUN}' is needed; this one has '{found.role}'")
    return found.environment_id


def _group_key() -> str:
    """Make a group that no other daemon serves."""
    return f"cassette-{new_id()}"


def _carried_out(
    here: InProcess, environment: EnvironmentId, run_id: str, on_start: Callable[[], None], *, quiet: bool
) -> JsonObject:
    """Carry a run out on a thread, and show how it goes on."""
    faults: list[BaseException] = []

    def work() -> None:
        try:
            here.inline_runner.run(run_id, on_start=on_start)
        except BaseException as error:  # handed on to the thread that waits
            faults.append(error)

    def look() -> JsonObject:
        if faults:
            raise faults[0]
        return show_run(here.api.runs.get(environment, run_id))

    thread = threading.Thread(target=work, name="ferryman-cassette", daemon=True)
    thread.start()
    try:
        ended = follow_run(look, quiet=quiet)
    except BaseException:
        here.api.runs.stop(environment, run_id)
        raise
    finally:
        thread.join(timeout=10)
        here.close()
    return ended


def _own_bounds(shown: JsonObject) -> JsonObject:
    """Return the dates that resources of a run ask from, by name."""
    dates = {
        name: books["previous_run_date"]
        for name, methods in shown["resource_stats"].items()
        for books in methods.values()
    }
    return {name: date for name, date in dates.items() if date is not None}


def _bounds(facts: Mapping[str, JSON]) -> LowerBounds:
    """Read the dates that a recorded run asked from; one of an earlier version had the same for all its resources."""
    own = facts.get(_OWN_BOUNDS) or {}
    if not isinstance(own, dict):
        raise CassetteError(f"the cassette's {_OWN_BOUNDS} are no object of times by resource")
    return LowerBounds(run=_time(facts, "previous_run_date"), own={name: _time(own, name) for name in own})


def _time(facts: Mapping[str, object], name: str) -> datetime | None:
    text = facts.get(name)
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError as error:
        raise CassetteError(f"the cassette's {name} is no time: {text}") from error
