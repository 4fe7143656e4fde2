"""From when runs ask, in Postgres: any history of runs against a model of a few lines."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from sqlalchemy import Engine, TextClause, text

from app.engine.ids import new_id
from app.engine.jobs import planning
from app.engine.jobs.definition import parse_resources
from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.runs import SyncJobRun
from app.engine.runs import increments
from app.services.runs.requests import RunDraft, RunRequest
from app.store.catalog.tokens import TokenStore
from app.store.db.database import connect
from app.store.runs import increments as stored
from app.store.runs.rows import ContextRowStore
from app.store.runs.runs import RunStore
from tests.support.servers import PostgresServer

START = datetime(2026, 1, 1, tzinfo=UTC)
EVERYTHING = datetime.min.replace(tzinfo=UTC)
NAMES = ("a", "b", "c", "d", "e")

Bounds: TypeAlias = dict[str, datetime]

_END = text("""
    update sync_job_run set status = :status, started_at = :at, upper_bound = :at where id = :run_id
""")
_FAIL_REQUEST = text("""
    insert into unit (id, run_id, resource_id, kind, status, frontier)
    select gen_random_uuid(), run_id, id, 'fetch', 'done', '{"next": 1, "open": {}, "failed": {"0": null}}'
      from run_resource where run_id = :run_id and name = any(:names)
""")
_SKIP = text("update run_resource set skipped = 1 where run_id = :run_id and name = any(:names)")
_LEAVE_GAPS = text("update run_resource set has_gaps = true where run_id = :run_id and name = any(:names)")
_QUARANTINE = text("update run_resource set errors = 1, quarantined = 1 where run_id = :run_id")
_MEND = text("update unit set frontier = frontier - 'failed' where run_id = :run_id")
_FORGET_OWN = text("update run_resource set previous_run_date = null where run_id = :run_id")


class History:
    """The runs of one job and account."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.store = RunStore(engine)
        self.environment = TokenStore(engine).ensure_environment(new_id())
        self.job_id, self.account_id = new_id(), new_id()
        self.ended = 0

    def create(self, parents: Mapping[str, str | None], *, ignores: bool = False, overlap: int = 0) -> SyncJobRun:
        """Make a run with these resources by their parents."""
        return self.store.create(self.draft(parents, ignores=ignores, overlap=overlap)).run

    def draft(self, parents: Mapping[str, str | None], *, ignores: bool = False, overlap: int = 0) -> RunDraft:
        raw: list[JsonObject] = [
            {"resource": name, "method": "list", "depends_on": parent} for name, parent in parents.items()
        ]
        request = RunRequest(
            sync_job_id=self.job_id, integrated_account_id=self.account_id, ignore_previous_run=ignores
        )
        return RunDraft(
            id=new_id(),
            environment_id=EnvironmentId(self.environment),
            request=request,
            args={},
            args_hash=b"hash",
            sync_job={},
            resources=raw,
            items=planning.plan(parse_resources(raw)[0]).order,
            version=3,
            group_key="group",
            queue="queue",
            overlap_seconds=overlap,
            mutex_key=None,
            idempotency=None,
        )

    def end(self, run: SyncJobRun, status: str = "completed") -> datetime:
        """End a run an hour after the last one; give that time."""
        self.ended += 1
        at = START + timedelta(hours=self.ended)
        with self.engine.begin() as connection:
            connection.execute(_END, {"run_id": run.id, "status": status, "at": at})
        return at

    def note(self, statement: TextClause, run: SyncJobRun, names: Sequence[str] = ()) -> None:
        with self.engine.begin() as connection:
            connection.execute(statement, {"run_id": run.id, "names": list(names)})

    def hold(self, run: SyncJobRun, parents: Mapping[str, str | None]) -> None:
        """Do what completes a run, as far as it is about bounds."""
        with self.engine.begin() as connection:
            stored.hold(connection, run.id, increments.find_held(parents, stored.find_unread(connection, run.id)))


@pytest.fixture(scope="module")
def engine(module_database_url: str) -> Iterator[Engine]:
    engine = connect(module_database_url, pool_size=2)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def module_database_url(postgres_server: PostgresServer) -> Iterator[str]:
    with postgres_server.fresh_database() as url:
        yield url


@pytest.fixture
def history(engine: Engine) -> History:
    return History(engine)


def shown(run: SyncJobRun) -> Bounds:
    """Tell from when each resource of a run asks, by its stats."""
    dates = {name: methods["list"]["previous_run_date"] for name, methods in run.resource_stats.items()}
    return {name: datetime.fromisoformat(date) if date else EVERYTHING for name, date in dates.items()}


def line(parents: Mapping[str, str | None], name: str) -> list[str]:
    """List a resource and its ancestors."""
    parent = parents[name]
    return [name, *(line(parents, parent) if parent else [])]


def expected(parents: Mapping[str, str | None], following: Bounds | None) -> Bounds:
    """Say from when resources ask after a completed run that leads to these bounds: from the earliest below them."""
    own = {name: EVERYTHING if following is None else following.get(name, EVERYTHING) for name in parents}
    return {name: min(own[below] for below in parents if name in line(parents, below)) for name in parents}


@some.composite
def trees(draw: some.DrawFn) -> dict[str, str | None]:
    """Draw the parents of some of the names, parents first."""
    names = draw(some.lists(some.sampled_from(NAMES), min_size=1, unique=True))
    return {name: draw(some.sampled_from([None, *names[:position]])) for position, name in enumerate(names)}


@some.composite
def steps(draw: some.DrawFn) -> list[tuple[dict[str, str | None], set[str], bool, bool]]:
    """Draw a job's life: its resources, what of them is not read, whether it completes, whether it ignores the last."""
    tree = draw(trees())
    life = []
    for _ in range(draw(some.integers(1, 5))):
        tree = draw(trees()) if draw(some.integers(0, 3)) == 0 else tree
        unread = draw(some.sets(some.sampled_from(sorted(tree)), max_size=2)) if draw(some.booleans()) else set()
        life.append((tree, unread, draw(some.integers(0, 4)) > 0, draw(some.integers(0, 5)) == 0))
    return life


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(life=steps(), how=some.sampled_from([_FAIL_REQUEST, _SKIP, _LEAVE_GAPS]))
def test_any_history_leads_to_the_bounds_of_a_model(
    engine: Engine, life: list[tuple[dict[str, str | None], set[str], bool, bool]], how: TextClause
) -> None:
    history, following = History(engine), None
    for tree, unread, completes, ignores in life:
        run = history.create(tree, ignores=ignores)
        bounds = expected(tree, None if ignores else following)
        read = history.store.get(EnvironmentId(history.environment), run.id)
        assert read is not None
        assert shown(run) == shown(read) == bounds
        assert (read.previous_run_date or EVERYTHING) == (run.previous_run_date or EVERYTHING) == min(bounds.values())

        history.note(how, run, sorted(unread))
        history.hold(run, tree)
        at = history.end(run, "completed" if completes else "failed")
        if completes:
            held = {name for name in tree if any(name in line(tree, one) or one in line(tree, name) for one in unread)}
            following = {name: bounds[name] if name in held else at for name in tree}


TREE = {"a": None, "b": "a", "c": None}


def test_records_in_quarantine_hold_nothing(history: History) -> None:
    run = history.create(TREE)
    history.note(_QUARANTINE, run)
    history.hold(run, TREE)
    at = history.end(run)

    assert set(shown(history.create(TREE)).values()) == {at}


def test_what_a_resume_has_mended_moves_on(history: History) -> None:
    run = history.create(TREE)
    history.note(_FAIL_REQUEST, run, ["b"])
    history.hold(run, TREE)
    at = history.end(run)
    assert shown(history.create(TREE)) == {"a": EVERYTHING, "b": EVERYTHING, "c": at}

    history.note(_MEND, run)
    history.hold(run, TREE)

    assert set(shown(history.create(TREE)).values()) == {at}


def test_a_run_of_an_earlier_version_has_its_own_bound_for_all_its_resources(history: History) -> None:
    at = history.end(history.create(TREE))
    old = history.create(TREE)
    history.note(_FORGET_OWN, old)
    read = history.store.get(EnvironmentId(history.environment), old.id)
    assert read is not None
    assert set(shown(read).values()) == {at}

    history.note(_FAIL_REQUEST, old, ["c"])
    history.hold(old, TREE)
    later = history.end(old)

    assert shown(history.create(TREE)) == {"a": later, "b": later, "c": at}


def test_the_overlap_is_that_of_the_run_that_asks_and_moves_no_held_bound_twice(history: History) -> None:
    first = history.end(history.create(TREE))
    run = history.create(TREE, overlap=60)
    history.note(_FAIL_REQUEST, run, ["c"])
    history.hold(run, TREE)
    second = history.end(run)

    found = shown(history.create(TREE, overlap=90))

    assert found == {**dict.fromkeys("ab", second - timedelta(seconds=90)), "c": first - timedelta(seconds=60)}


def test_a_try_asks_from_when_the_run_would(history: History) -> None:
    run = history.create(TREE)
    history.note(_FAIL_REQUEST, run, ["c"])
    history.hold(run, TREE)
    at = history.end(run)

    bounds = history.store.read_lower_bounds(history.draft(TREE))

    assert [bounds.find(name) for name in TREE] == [at, at, None]


def test_a_slice_knows_the_bounds_of_its_run(history: History, engine: Engine) -> None:
    run = history.create(TREE)
    history.note(_FAIL_REQUEST, run, ["c"])
    history.hold(run, TREE)
    at = history.end(run)

    material = ContextRowStore(engine, None).read(history.create(TREE).id)  # type: ignore[arg-type]

    assert material is not None
    assert [material.bounds.find(name) for name in TREE] == [at, at, None]
