"""A Redis behind TLS: whoever publishes, counts or consumes reads its URL in the same way."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kombu import pools
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from app.broker.dispatcher import CeleryDispatcher, build_publisher
from app.broker.redis_sender import RedisSender
from app.broker.sender import TaskSender
from app.engine.limits import constants
from app.limits import redis_budgets, redis_requests
from tests.support.patience import LONGEST_SECONDS
from tests.support.process_nodes import RedisContainer
from tests.support.tls_tunnel import Authority, running_tunnel


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.new(tmp_path_factory.mktemp("authority"), host="localhost")


@pytest.fixture(scope="module")
def port(broker: RedisContainer, authority: Authority) -> Iterator[int]:
    with running_tunnel(authority, Path(broker.celeryconfig["url"].partition("://")[2])) as port:
        yield port


@pytest.fixture(autouse=True)
def patient_clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """None gives a busy machine up; connections that were let in before are not used again."""
    for name in ("BUDGET_TIMEOUT_SECONDS", "REQUESTS_TIMEOUT_SECONDS"):
        monkeypatch.setattr(constants, name, 30.0)
    yield
    pools.reset()


@pytest.fixture
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine trusts the authority."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))


def publish_short(url: str) -> None:
    RedisSender(build_publisher(url, timeout_seconds=60)).send("x", [], queue="tested")


def publish_by_kombu(url: str) -> None:
    TaskSender(build_publisher(url, timeout_seconds=60)).send("x", [], queue="tested")


def consume(url: str) -> None:
    with build_publisher(url, timeout_seconds=60).connection_for_read() as connection:
        connection.ensure_connection(max_retries=1, timeout=LONGEST_SECONDS)
        connection.default_channel.client.ping()


def count(url: str) -> None:
    redis_requests.build_client(url).ping()


def share_budget(url: str) -> None:
    async def ping() -> None:
        client = redis_budgets.build_client(url)
        try:
            await client.execute_command("PING")
        finally:
            await client.aclose()

    asyncio.run(ping())


WAYS = [publish_short, publish_by_kombu, consume, count, share_budget]
FAULTS = (OperationalError, RedisError, OSError)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("words", ["", "&ssl_cert_reqs=required", "&ssl_cert_reqs=CERT_REQUIRED"])
def test_server_of_the_named_authority_is_let_in(
    port: int, authority: Authority, way: Callable[[str], None], words: str
) -> None:
    way(f"rediss://localhost:{port}/0?ssl_ca_certs={authority.certificate}{words}")


@pytest.mark.parametrize("way", WAYS)
def test_server_of_an_authority_that_this_machine_trusts_is_let_in(
    port: int, trusted: None, way: Callable[[str], None]
) -> None:
    way(f"rediss://localhost:{port}/0")


@pytest.mark.parametrize("way", WAYS)
def test_server_of_a_stranger_is_not_let_in(port: int, way: Callable[[str], None]) -> None:
    with pytest.raises(FAULTS):
        way(f"rediss://localhost:{port}/0")


@pytest.mark.parametrize("way", WAYS)
def test_server_of_another_name_is_not_let_in(port: int, authority: Authority, way: Callable[[str], None]) -> None:
    with pytest.raises(FAULTS):
        way(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={authority.certificate}")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("words", ["ssl_cert_reqs=none", "ssl_cert_reqs=CERT_NONE"])
def test_anybody_is_let_in_where_the_url_says_so(port: int, way: Callable[[str], None], words: str) -> None:
    way(f"rediss://127.0.0.1:{port}/0?{words}")


def test_health_tells_of_a_publisher_that_is_not_let_in(port: int, authority: Authority) -> None:
    stranger = CeleryDispatcher(build_publisher(f"rediss://localhost:{port}/0", timeout_seconds=60))
    known = CeleryDispatcher(
        build_publisher(f"rediss://localhost:{port}/0?ssl_ca_certs={authority.certificate}", timeout_seconds=60)
    )

    assert (stranger.is_reachable(), known.is_reachable()) == (False, True)
