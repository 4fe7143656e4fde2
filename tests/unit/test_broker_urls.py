"""A broker's URL means one thing, whichever library reads it."""

import ssl
from typing import Any

import pytest

from app import broker_urls
from app.broker.dispatcher import publisher

LOGIN = {"username": None, "password": None}
CA = "/etc/ca.pem"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://one", {"host": "one", "port": 6379, "db": 0}),
        ("redis://one:7000/3", {"host": "one", "port": 7000, "db": 3}),
        ("redis://one/?db=3", {"host": "one", "port": 6379, "db": 3}),
        ("redis://:p%40ss@one", {"host": "one", "port": 6379, "db": 0, "password": "p@ss"}),
        ("redis://u%2F:p@[::1]:7000", {"host": "::1", "port": 7000, "db": 0, "username": "u/", "password": "p"}),
        ("redis+socket:///run/r.sock", {"unix_socket_path": "/run/r.sock", "db": 0}),
        ("redis+socket:///run/r.sock?virtual_host=2", {"unix_socket_path": "/run/r.sock", "db": 2}),
        ("unix:///run/r.sock?db=2", {"unix_socket_path": "/run/r.sock", "db": 2}),
    ],
)
def test_address_of_a_redis_is_read(url: str, expected: dict[str, Any]) -> None:
    address = broker_urls.read(url)

    assert address.redis == {**LOGIN, **expected}
    assert (address.tls, broker_urls.read(address.url).redis) == (None, address.redis)


@pytest.mark.parametrize(
    ("query", "verifying", "checks_hostname"),
    [
        ("", "required", True),
        ("&ssl_cert_reqs=required", "required", True),
        ("&ssl_cert_reqs=CERT_REQUIRED", "required", True),
        ("&ssl_cert_reqs=optional", "optional", True),
        ("&ssl_cert_reqs=CERT_NONE", "none", False),
        ("&ssl_cert_reqs=none", "none", False),
        ("&ssl_check_hostname=false", "required", False),
    ],
)
def test_certificate_is_verified_unless_the_url_says_otherwise(
    query: str, verifying: str, checks_hostname: bool
) -> None:
    expected = {"ssl_cert_reqs": verifying, "ssl_check_hostname": checks_hostname, "ssl_ca_certs": CA}

    address = broker_urls.read(f"rediss://:pw@one:7000/3?ssl_ca_certs={CA}{query}")

    where = {"host": "one", "port": 7000, "db": 3, "username": None, "password": "pw"}
    assert address.redis == {**where, "ssl": True, **expected}
    assert broker_urls.build_redis_arguments(address.url, address.tls) == address.redis
    with publisher(f"rediss://:pw@one:7000/3?ssl_ca_certs={CA}{query}", timeout_seconds=1).connection() as kombu:
        assert (kombu.hostname, kombu.port, kombu.virtual_host, kombu.ssl) == ("one", 7000, "3", expected)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": None}),
        (f"?ssl_ca_certs={CA}", {"cert_reqs": ssl.CERT_REQUIRED, "ca_certs": CA, "server_hostname": None}),
        ("?ssl_check_hostname=false", {"cert_reqs": ssl.CERT_REQUIRED}),
        ("?ssl_cert_reqs=none", {"cert_reqs": ssl.CERT_NONE}),
    ],
)
def test_rabbitmq_is_verified_too(query: str, expected: dict[str, Any]) -> None:
    address = broker_urls.read(f"amqps://u:p@one//{query};amqps://u:p@two//{query}")

    assert (address.url, address.tls, address.redis) == ("amqps://u:p@one//;amqps://u:p@two//", expected, None)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("sentinel://one:26379/0", "Redis Sentinel is not supported"),
        ("sentinel+tls://one:26379", "Redis Sentinel is not supported"),
        ("redis://one;redis://two", "not several"),
        ("redis://one/x", "the number of a Redis database"),
        ("redis://one?ssl_cert_reqs=none", "the parameter ssl_cert_reqs is not known with redis://"),
        ("rediss://one?ssl_cert_reqs=maybe", "expected required, optional or none"),
        ("rediss://one?ssl_check_hostname=x", "expected true or false"),
        ("rediss://one?socket_timeout=5", "the parameter socket_timeout is not known with rediss://"),
        ("amqp://one//?heartbeat=5", "the parameter heartbeat is not known with amqp://"),
        ("amqps://one;amqps://two?ssl_cert_reqs=none", "the same options in each"),
        ("amqp://one;amqps://two", "the same scheme"),
        ("http://one", "expected a URL like redis://"),
        ("redis://u:p/w@one:6379", "percent-encoded"),
    ],
)
def test_what_can_not_work_is_told_in_words(url: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        broker_urls.read(url)
