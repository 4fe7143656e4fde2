"""Read BROKER_URL and FERRYMAN_BUDGET_URL, for kombu and for our own clients of Redis alike.

Kombu and redis-py each read such a URL in their own way (``ssl_cert_reqs=CERT_REQUIRED`` is kombu's word alone, and
``rediss://`` is unverified to kombu and verified to redis-py), so neither is given one with a query.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from app.numerals import is_count

_REDIS: Final = ("redis", "rediss")
_SOCKETS: Final = ("redis+socket", "unix")
_AMQP: Final = ("amqp", "amqps", "pyamqp")
_WITHIN_ONE_PROCESS: Final = "memory"
_TLS: Final = ("rediss", "amqps")

_EXPECTED: Final = "expected a URL like redis://host:6379/0 or amqp://user:password@host"
_ENCODED: Final = f"{_EXPECTED}; characters such as '@' in a password are percent-encoded"
_NO_SENTINEL: Final = (
    "Redis Sentinel is not supported: expected the address of one Redis, such as that of a proxy before it which "
    "follows the primary (redis://host:6379/0)"
)
_ONE_REDIS: Final = "expected one Redis, not several separated by ';'"

_VERIFYING: Final[Mapping[str, str]] = {
    word: name
    for name in ("required", "optional", "none")
    for word in (name, f"CERT_{name.upper()}")  # kombu's and Python's word for it
}
_MODES: Final = {"required": ssl.CERT_REQUIRED, "optional": ssl.CERT_OPTIONAL, "none": ssl.CERT_NONE}
_FLAGS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_FILES: Final = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_TLS_PARAMETERS: Final = ("ssl_cert_reqs", "ssl_check_hostname", *_FILES)
_DATABASE: Final = ("db", "virtual_host")


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAddress:
    """Where a broker is, as each library takes it."""

    url: str = field(repr=False)
    """Without a query: Celery's ``broker_url``."""
    tls: Mapping[str, Any] | None = None
    """Celery's ``broker_use_ssl``; None where nothing is encrypted."""
    redis: Mapping[str, Any] | None = field(default=None, repr=False)
    """What redis-py makes the same connection of; None where it is no Redis."""


def read(url: str) -> BrokerAddress:
    """Read a URL; raise ValueError that says what was expected and repeats nothing that may be a secret."""
    scheme = url.partition("://")[0] if "://" in url else ""
    if scheme.startswith("sentinel"):
        raise ValueError(_NO_SENTINEL)
    if scheme == _WITHIN_ONE_PROCESS:
        return BrokerAddress(url=url)
    if scheme in _AMQP:
        return _read_rabbitmq(url)
    if scheme in (*_REDIS, *_SOCKETS):
        return _read_redis(url)
    raise ValueError(_EXPECTED)


def is_redis(url: str) -> bool:
    """Whether a broker is one Redis."""
    return url.startswith(tuple(f"{scheme}:" for scheme in (*_REDIS, *_SOCKETS)))


def is_rabbitmq(url: str) -> bool:
    """Whether a broker speaks AMQP."""
    return url.startswith(tuple(f"{scheme}:" for scheme in _AMQP))


def build_redis_arguments(url: str, tls: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return what redis-py connects by; ``tls`` are the options that the URL was read with, when it has lost them."""
    arguments = dict(read(url).redis or {})
    return {**arguments, **tls} if tls and "ssl" in arguments else arguments


def _read_redis(url: str) -> BrokerAddress:
    parts = _split(url)
    query = _read_query(parts, [*_DATABASE, *(_TLS_PARAMETERS if parts.scheme in _TLS else ())])
    database = query.pop("virtual_host", None) or query.pop("db", None)
    is_socket = parts.scheme in _SOCKETS
    if not is_socket:
        database = database or unquote(parts.path).strip("/")
    number = _read_number(database or "0")
    login = {"username": unquote(parts.username or "") or None, "password": unquote(parts.password or "") or None}
    if is_socket:
        where: dict[str, Any] = {"unix_socket_path": unquote(parts.path)}
        address = f"redis+socket://{parts.netloc}{parts.path}{f'?virtual_host={number}' if number else ''}"
    else:
        where = {"host": unquote(parts.hostname or "localhost"), "port": parts.port or 6379}
        address = f"{parts.scheme}://{parts.netloc}/{number}"
    tls = _read_tls(query) if parts.scheme in _TLS else None
    options = {"ssl": True, **tls} if tls else {}
    return BrokerAddress(url=address, tls=tls, redis={**where, "db": number, **login, **options})


def _read_rabbitmq(url: str) -> BrokerAddress:
    """Read one URL or several of a cluster, separated by ``;``, which all have the same options."""
    each = [_split(one) for one in url.split(";")]
    is_encrypted = each[0].scheme in _TLS
    queries = [_read_query(parts, _TLS_PARAMETERS if is_encrypted else ()) for parts in each]
    if any(parts.scheme != each[0].scheme or query != queries[0] for parts, query in zip(each, queries, strict=True)):
        raise ValueError("expected the same scheme and the same options in each of several URLs")
    address = ";".join(parts._replace(query="").geturl() for parts in each)
    return BrokerAddress(url=address, tls=_rename_for_amqp(_read_tls(queries[0])) if is_encrypted else None)


def _rename_for_amqp(tls: Mapping[str, Any]) -> dict[str, Any]:
    named = {name.removeprefix("ssl_"): value for name, value in tls.items()}
    checks_hostname = named.pop("check_hostname")
    named["cert_reqs"] = _MODES[named["cert_reqs"]]
    # Kombu puts the host's name there; without the key no name is compared.
    return {**named, "server_hostname": None} if checks_hostname else named


def _split(url: str) -> SplitResult:
    if ";" in url:
        raise ValueError(_ONE_REDIS)
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is no number
    except ValueError:
        raise ValueError(_ENCODED) from None
    return parts


def _read_query(parts: SplitResult, known: list[str] | tuple[str, ...]) -> dict[str, str]:
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := sorted(set(query) - set(known)):
        allowed = f"those known are {', '.join(known)}" if known else "expected none"
        raise ValueError(f"the parameter {unknown[0][:40]} is not known with {parts.scheme}://: {allowed}")
    return query


def _read_number(database: str) -> int:
    if not is_count(database):
        raise ValueError("expected the number of a Redis database behind the host, such as redis://host:6379/0")
    return int(database)


def _read_tls(query: Mapping[str, str]) -> dict[str, Any]:
    """Read how the server is verified: unless the URL says otherwise, its certificate and its name."""
    verifying = _VERIFYING.get(query.get("ssl_cert_reqs", "required"))
    if verifying is None:
        raise ValueError("ssl_cert_reqs: expected required, optional or none")
    checks_hostname = _FLAGS.get(query.get("ssl_check_hostname", "true").lower())
    if checks_hostname is None:
        raise ValueError("ssl_check_hostname: expected true or false")
    files = {name: query[name] for name in _FILES if name in query}
    return {"ssl_cert_reqs": verifying, "ssl_check_hostname": checks_hostname and verifying != "none", **files}
