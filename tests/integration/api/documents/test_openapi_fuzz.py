"""``/openapi.json`` is true: Schemathesis, with every check and in sequences, finds nothing that contradicts it."""

import os
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import Engine

from app.api.application import create_app
from app.api.resources.services import ApiServices
from app.bootstrap import api as bootstrap
from app.bootstrap.api import build_api_services
from app.engine.objects.environments import EnvironmentId
from app.net import addresses
from app.services.ports import Swapped
from app.services.runs.runs import RunWaits
from app.settings import Settings
from tests.integration.api.calling import Caller
from tests.integration.api.documents import fuzz_refusals
from tests.integration.api.documents.fuzzing import Effort, fuzz
from tests.integration.api.walled_worlds import furnished
from tests.support.names import resolve_all_to

# The suite sends boundaries to a few operations with bodies of every kind; make fuzz sends them to all, for minutes.
BOUNDARIES = r"POST /(?!integration$|sync-job/validate|sync-job-template|environment-\w|unified)|GET /(log|record)"
EFFORT = Effort(
    examples=int(os.environ.get("FUZZ_EXAMPLES", "2")),
    sequences=int(os.environ.get("FUZZ_SEQUENCES", "8")),
    boundaries=".*" if "FUZZ_EXAMPLES" in os.environ else BOUNDARIES,
    seed=int(os.environ.get("FUZZ_SEED", "20260101")),
)
LONGEST_SECONDS = 24 * 3600


class UnusedBudgets:
    """Rate budgets that nobody has used yet: here is no Redis that could keep them."""

    def read(self, account_id: str) -> Swapped:
        return Swapped(is_done=False, current="", now=time.time())

    def swap(self, account_id: str, *, expected: str, text: str) -> Swapped:
        return Swapped(is_done=True, current="", now=time.time())

    def forget(self, account_id: str) -> None:
        """Nothing was learned."""


@pytest.fixture
def _nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse to resolve or connect to addresses that the fuzz generates."""
    monkeypatch.setattr(addresses, "is_public", lambda address: False)
    monkeypatch.setattr(bootstrap, "build_budget_desk", lambda settings: UnusedBudgets())
    resolve_all_to(monkeypatch)


@pytest.fixture
def unhurried(settings: Settings, _nowhere: None) -> Iterator[ApiServices]:
    """Services that no caller waits for."""
    services = build_api_services(
        replace(settings, token_requests=0, environment_requests=0, calls_per_account=0, allowed_networks="")
    )
    yield replace(services, run_waits=RunWaits(services.runs, most=0))
    services.close()


@pytest.fixture
def fuzzed(unhurried: ApiServices, settings: Settings) -> Flask:
    return create_app(unhurried, settings)


@pytest.mark.timeout(LONGEST_SECONDS)
def test_nothing_contradicts_the_document(
    fuzzed: Flask, unhurried: ApiServices, environment_id: EnvironmentId, engine: Engine
) -> None:
    token, secret = unhurried.tokens.create(environment_id, "fuzz")
    caller = Caller(fuzzed.test_client(), secret)
    furnished(caller, "mine", environment_id, engine)

    found = fuzz(fuzzed, token=secret, token_id=token.id, effort=EFFORT)
    assert found.faults == {}, "\n\n".join(f"{name}\n{told}" for name, told in found.faults.items())
    assert caller.get("/ping").status == 200
    went_on = {label for phase, label, status in found.statuses if phase == "stateful" and status in (200, 201)}
    assert {label.partition(" ")[0] for label in went_on} == {"POST", "GET", "PATCH", "DELETE"}
    assert len({label for phase, label, _ in found.statuses if phase != "stateful"}) == _operations(fuzzed)


def test_a_refusal_for_another_reason_is_a_finding() -> None:
    expected = {"path": "sync_job_id", "message": "sync job 'x' does not exist"}
    other = {"path": "sync_job_id", "message": "expected a UUID"}

    assert fuzz_refusals.is_expected({"details": {"failures": [expected]}})
    assert not fuzz_refusals.is_expected({"details": {"failures": [expected, other]}})
    assert not fuzz_refusals.is_expected({"details": {"failures": []}})


def _operations(app: Flask) -> int:
    paths = app.test_client().get("/openapi.json").get_json()["paths"]
    return sum(1 for path in paths.values() for method in path if method != "parameters")
