"""A database in which proofs run thousands of runs beside each other."""

from collections.abc import Iterator

import pytest

from tests.support.pump_database import PumpDatabase
from tests.support.pump_proofs import Proof
from tests.support.servers import PostgresServer


@pytest.fixture(scope="session")
def pump_database(postgres_server: PostgresServer) -> Iterator[PumpDatabase]:
    with PumpDatabase.on(postgres_server) as database:
        yield database


@pytest.fixture(scope="module")
def proof(pump_database: PumpDatabase) -> Proof:
    return Proof(pump_database)
