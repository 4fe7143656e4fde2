"""Who loses against another transaction tries again, and nothing that belongs to a larger one does."""

import importlib
import inspect
import pkgutil

import pytest

from app import store
from app.engine.errors import StoreConflictError, StoreReadOnlyError, StoreUnavailableError
from app.services.runs.conflicts import TRIES, repeats_conflicts, retry_on_conflict

WITHOUT = {"LockedRun", "Leadership", "WritingSessions"}
"""Each is more than one transaction, or the leader's own, which comes back by itself."""


class Failing:
    """Fails so many times."""

    def __init__(self, error: Exception, times: int) -> None:
        self.error = error
        self.times = times
        self.asked = 0

    def ask(self) -> str:
        self.asked += 1
        if self.asked <= self.times:
            raise self.error
        return "answered"


@repeats_conflicts
class Store:
    def __init__(self, failing: Failing) -> None:
        self.failing = failing

    def change(self) -> str:
        return self.failing.ask()

    def change_within(self, connection: object) -> str:
        return self.failing.ask()


@pytest.mark.parametrize("times", range(TRIES))
def test_conflict_is_tried_again(times: int) -> None:
    failing = Failing(StoreConflictError(), times)

    assert retry_on_conflict(failing.ask)() == "answered"
    assert failing.asked == times + 1


def test_conflict_that_does_not_end_is_told() -> None:
    failing = Failing(StoreConflictError(), 100)

    with pytest.raises(StoreConflictError):
        Store(failing).change()

    assert failing.asked == TRIES


@pytest.mark.parametrize("error", [StoreUnavailableError(), StoreReadOnlyError(), ValueError()], ids=repr)
def test_nothing_else_is_tried_again(error: Exception) -> None:
    failing = Failing(error, 1)

    with pytest.raises(type(error)):
        Store(failing).change()

    assert failing.asked == 1


def test_part_of_a_callers_transaction_is_not_tried_again() -> None:
    failing = Failing(StoreConflictError(), 1)

    with pytest.raises(StoreConflictError):
        Store(failing).change_within(None)


def test_every_store_does_so() -> None:
    found = {kind.__name__: kind for kind in kinds() if "engine" in inspect.signature(kind).parameters}

    assert len(found) > 30
    assert {name for name, kind in found.items() if not repeats(kind)} == WITHOUT


def kinds() -> list[type]:
    found = [module.name for module in pkgutil.walk_packages(store.__path__, "app.store.") if not module.ispkg]
    modules = [importlib.import_module(name) for name in found if ".migrations." not in name]
    return [
        kind
        for module in modules
        for kind in vars(module).values()
        if inspect.isclass(kind) and kind.__module__ == module.__name__ and not issubclass(kind, Exception)
    ]


def repeats(kind: type) -> bool:
    methods = [member for name, member in vars(kind).items() if inspect.isfunction(member) and not name.startswith("_")]
    if not methods:
        # All that it does is inherited.
        return any(repeats(base) for base in kind.__bases__ if base is not object)
    return any(hasattr(method, "__wrapped__") for method in methods)
