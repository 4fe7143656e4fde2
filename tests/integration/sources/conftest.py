from collections.abc import Iterator

import pytest

from app.sources.http_source import HttpSource
from tests.integration.sources.raw_upstream import SETTINGS, Client, Upstream


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


@pytest.fixture
def source() -> Iterator[HttpSource]:
    http_source = HttpSource(SETTINGS)
    yield http_source
    http_source.close()


@pytest.fixture
def client(source: HttpSource, upstream: Upstream) -> Client:
    return Client(source, upstream.url)
