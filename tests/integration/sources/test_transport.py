import asyncio
import contextlib
import gzip
import multiprocessing
import os
import socket
import ssl
import threading
import time
from concurrent.futures import CancelledError
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from app.engine.record_errors import RateLimitedError, SourceError
from app.services.ports import PageCall
from app.sources.http_source import HttpSource
from tests.integration.sources.raw_upstream import SETTINGS, Client, Received, Upstream, reply
from tests.support.patience import LONGEST_SECONDS


def failure(client: Client, **call: object) -> SourceError:
    with pytest.raises(SourceError) as caught:
        client.fetch(**call)  # type: ignore[arg-type]
    return caught.value


def test_connections_are_kept_alive(client: Client, upstream: Upstream) -> None:
    for _ in range(5):
        client.fetch()

    assert upstream.connections == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_fault_that_passes_is_waited_out(client: Client, upstream: Upstream, status: int) -> None:
    upstream.in_turn(reply({}, status=status), reply({}, status=status), reply([1]))

    assert client.fetch().records == [1]


@pytest.mark.parametrize(
    ("status", "message"), [(429, "an upstream asks to wait"), (500, "an upstream failed: trying again")]
)
def test_a_fault_that_is_waited_out_is_told_in_the_log(
    client: Client, upstream: Upstream, caplog: pytest.LogCaptureFixture, status: int, message: str
) -> None:
    upstream.in_turn(reply({}, status=status), reply({}, status=status), reply([1]))

    client.fetch()

    assert [record.message for record in caplog.records] == [message]


def test_a_slow_answer_is_told_in_the_log(
    client: Client, upstream: Upstream, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.engine.limits.constants.SLOW_ANSWER_SECONDS", 0.0)
    upstream.in_turn(reply([1]))

    client.fetch()

    assert [record.message for record in caplog.records] == ["an upstream answers slowly"]


def test_attempts_are_bounded(client: Client, upstream: Upstream) -> None:
    upstream.answer = lambda _: reply({}, status=500)

    assert failure(client).code == "http_500"
    assert len(upstream.received) == SETTINGS.request_attempts


@pytest.mark.parametrize("status", [400, 401, 404, 501])
def test_a_fault_that_stays_is_not_repeated(client: Client, upstream: Upstream, status: int) -> None:
    upstream.answer = lambda _: reply({}, status=status)

    failure(client)

    assert len(upstream.received) == 1


def test_a_timeout_is_tried_again(upstream: Upstream) -> None:
    async def hang_once(_request: Received, writer: asyncio.StreamWriter) -> None:
        if len(upstream.received) == 1:
            await asyncio.Event().wait()
        writer.write(reply([1]))

    upstream.conversation = hang_once
    source = HttpSource(replace(SETTINGS, request_timeout_seconds=0.3))

    assert Client(source, upstream.url).fetch().records == [1]
    assert len(upstream.received) == 2
    source.close()


@pytest.mark.parametrize("retry_after", ["-1", "0", "Thu, 01 Jan 1970 00:00:00 GMT", "99999999999999"])
def test_a_senseless_wait_is_none_and_no_tight_loop(client: Client, upstream: Upstream, retry_after: str) -> None:
    upstream.in_turn(reply({}, status=429, headers={"Retry-After": retry_after}), reply([1]))
    begun = time.monotonic()

    assert client.fetch().records == [1]
    assert 0.9 < time.monotonic() - begun < 5


def test_a_quota_that_is_used_up_is_waited_for_before_the_next_request(client: Client, upstream: Upstream) -> None:
    spent = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int((time.time() + 1.5) * 1000))}
    upstream.in_turn(reply([1], headers=spent), reply([2]))
    begun = time.monotonic()

    assert [client.fetch().records, client.fetch().records] == [[1], [2]]
    assert time.monotonic() - begun > 1


def test_a_short_retry_after_is_waited_for_in_place(client: Client, upstream: Upstream) -> None:
    upstream.in_turn(reply({}, status=429, headers={"Retry-After": "1"}), reply([1]))
    start = time.monotonic()

    assert client.fetch().records == [1]
    assert time.monotonic() - start >= 1


def test_an_outage_that_announces_its_end_lets_the_unit_sleep(client: Client, upstream: Upstream) -> None:
    upstream.answer = lambda _: reply({}, status=503, headers={"Retry-After": "60"})

    error = failure(client)

    assert isinstance(error, RateLimitedError)
    assert (error.status, error.retry_after_seconds) == (503, 60)


def test_a_rate_limit_without_an_end_lets_the_unit_sleep(client: Client, upstream: Upstream) -> None:
    upstream.answer = lambda _: reply({}, status=429)

    error = failure(client)

    assert isinstance(error, RateLimitedError)
    assert error.retry_after_seconds == 10


@pytest.mark.parametrize(("status", "requests"), [(429, 2), (503, 2), (500, 1), (502, 1)])
def test_a_write_is_repeated_only_when_it_was_turned_away(
    client: Client, upstream: Upstream, status: int, requests: int
) -> None:
    upstream.in_turn(reply({}, status=status), reply({"id": 1}))

    try:
        client.fetch(method="create", body={})
    except SourceError as error:
        assert error.status == status

    assert len(upstream.received) == requests


def test_a_read_is_repeated_when_its_body_is_cut(client: Client, upstream: Upstream) -> None:
    async def cut_once(_request: Received, writer: asyncio.StreamWriter) -> None:
        whole = reply([1])
        writer.write(whole if len(upstream.received) > 1 else whole[:-1])

    upstream.conversation = cut_once

    assert client.fetch().records == [1]


def test_a_write_is_not_repeated_when_its_answer_is_cut(client: Client, upstream: Upstream) -> None:
    async def hang_up(_request: Received, _writer: asyncio.StreamWriter) -> None:
        return

    upstream.conversation = hang_up

    assert failure(client, method="create", body={}).code == "disconnected"
    assert len(upstream.received) == 1


def test_a_body_that_trickles_is_bounded_in_time(upstream: Upstream) -> None:
    async def trickle(_request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    upstream.conversation = trickle
    source = HttpSource(replace(SETTINGS, request_timeout_seconds=0.3, request_attempts=1))

    error = failure(Client(source, upstream.url))

    assert error.code == "timeout"
    source.close()


def test_a_compressed_body_counts_as_what_it_unpacks_to(client: Client, upstream: Upstream) -> None:
    bomb = gzip.compress(b"[" + b" " * 50_000_000 + b"]")
    upstream.answer = lambda _: reply(raw=bomb, headers={"Content-Encoding": "gzip"})

    assert failure(client).code == "too_large"


def test_a_highly_compressed_body_within_the_limit_is_read(client: Client, upstream: Upstream) -> None:
    packed = gzip.compress(b"[" + b" " * 900_000 + b"1]")
    upstream.answer = lambda _: reply(raw=packed, headers={"Content-Encoding": "gzip"})

    assert client.fetch().records == [1]


def test_a_body_that_does_not_unpack_is_an_error(client: Client, upstream: Upstream) -> None:
    upstream.answer = lambda _: reply(raw=b"not gzip", headers={"Content-Encoding": "gzip"})

    assert failure(client).code in ("disconnected", "not_http")


def test_the_beginning_of_a_huge_error_is_shown(client: Client, upstream: Upstream) -> None:
    upstream.answer = lambda _: reply(raw=b"sorry " * 500_000, status=404)

    error = failure(client)

    assert error.code == "http_404"
    assert error.excerpt is not None
    assert error.excerpt.startswith("sorry sorry")


def test_a_refused_connection_is_an_error(source: HttpSource) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        client = Client(source, f"http://127.0.0.1:{taken.getsockname()[1]}")

        error = failure(client)

    assert error.code == "connect"
    assert error.retryable


@pytest.mark.parametrize(
    "url", ["http://nowhere.invalid", "http://bad host", "http://[::1", "ftp://x", "http://x:99999", ""]
)
def test_an_address_that_leads_nowhere_is_an_error(client: Client, upstream: Upstream, url: str) -> None:
    error = failure(client, config=client.config(base_url="{{url}}"), context={"url": url})

    assert error.code in ("connect", "request")


def test_a_header_that_would_split_is_refused(client: Client, upstream: Upstream) -> None:
    config = client.config(headers={"X-Key": "{{key}}"})

    assert failure(client, config=config, context={"key": "a\r\nX-Other: b"}).code == "request"
    assert upstream.received == []


def test_a_certificate_that_nobody_signed_is_refused_at_once(source: HttpSource, tmp_path: Path) -> None:
    _make_certificate(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as server:
        greeter = threading.Thread(target=_serve_tls, args=(server, tmp_path))
        greeter.start()

        error = failure(Client(source, f"https://127.0.0.1:{server.getsockname()[1]}"))
        greeter.join(timeout=LONGEST_SECONDS)

    assert error.code == "connect"
    assert not error.retryable


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_of_a_read_is_followed_on_the_same_origin(client: Client, upstream: Upstream, status: int) -> None:
    upstream.in_turn(reply(status=status, headers={"Location": "/else?a=%2F"}), reply([1]))

    assert client.fetch().records == [1]
    assert upstream.received[1].target == "/else?a=%2F"


def test_a_redirect_to_another_origin_is_not_followed(client: Client, upstream: Upstream) -> None:
    upstream.answer = lambda _: reply(status=302, headers={"Location": f"http://localhost:{upstream.port}/"})

    error = failure(client)

    assert error.code == "request"
    assert "localhost" in error.message
    assert len(upstream.received) == 1


def test_a_redirect_never_turns_a_write_into_a_read(client: Client, upstream: Upstream) -> None:
    upstream.answer = lambda _: reply(status=301, headers={"Location": "/else"})

    assert failure(client, method="create", body={}).code == "http_301"


def test_redirects_in_a_circle_end(client: Client, upstream: Upstream) -> None:
    upstream.answer = lambda _: reply(status=302, headers={"Location": "/things"})

    assert failure(client).code == "request"


def test_requests_of_one_account_are_bounded_and_others_are_not_held_up(upstream: Upstream, source: HttpSource) -> None:
    client = Client(source, upstream.url)
    config = client.config()
    waiting: list[asyncio.StreamWriter] = []

    async def wait(request: Received, writer: asyncio.StreamWriter) -> None:
        if "other" in request.target:
            writer.write(reply([]))
            return
        waiting.append(writer)
        await asyncio.sleep(0.2)
        assert len(waiting) <= SETTINGS.requests_per_account
        waiting.remove(writer)
        writer.write(reply([]))

    upstream.conversation = wait

    calls = [
        source.submit(PageCall(account_id="busy", config=config, context={}, resource="things", method="list"))
        for _ in range(10)
    ]

    assert client.fetch(account_id="idle", resource="other").records == []
    assert not all(call.done() for call in calls)
    assert [call.result(timeout=LONGEST_SECONDS).records for call in calls] == [[]] * 10


def test_a_cancelled_future_frees_its_place(upstream: Upstream, source: HttpSource) -> None:
    client = Client(source, upstream.url)
    config = client.config()

    async def hang(request: Received, writer: asyncio.StreamWriter) -> None:
        if "hang" in request.target:
            await asyncio.Event().wait()
        writer.write(reply([1]))

    upstream.conversation = hang

    for _ in range(SETTINGS.requests_per_account):
        call = source.submit(PageCall(account_id="a", config=config, context={}, resource="hang", method="list"))
        call.cancel()

    assert client.fetch().records == [1]


def test_a_closed_source_cancels_what_is_under_way_and_can_be_used_again(upstream: Upstream) -> None:
    source = HttpSource(SETTINGS)
    client = Client(source, upstream.url)
    client.fetch()

    async def hang(_request: Received, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    upstream.conversation = hang
    call = source.submit(PageCall(account_id="a", config=client.config(), context={}, resource="things", method="list"))
    source.close()

    with pytest.raises(CancelledError):
        call.result(timeout=LONGEST_SECONDS)

    upstream.conversation = None
    assert client.fetch().records == []
    source.close()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_opens_its_own_connections_and_leaves_the_parents_alone(
    client: Client, upstream: Upstream
) -> None:
    client.fetch()

    def ask() -> None:
        records = client.fetch().records
        os._exit(0 if records == [] else 1)

    child = multiprocessing.get_context("fork").Process(target=ask)
    child.start()
    child.join(timeout=LONGEST_SECONDS)

    assert child.exitcode == 0
    assert upstream.connections == 2
    assert client.fetch().records == []
    assert upstream.connections == 2


def _serve_tls(server: socket.socket, directory: Path) -> None:
    """Greet one caller with a certificate of our own making."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "cert.pem", directory / "key.pem")
    with contextlib.suppress(OSError):
        context.wrap_socket(server.accept()[0], server_side=True)


def _make_certificate(directory: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2100, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    (directory / "cert.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (directory / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def test_bytes_that_are_no_text_in_headers_do_no_harm(client: Client, upstream: Upstream) -> None:
    upstream.in_turn(
        b"HTTP/1.1 302 \xff\r\nLocation: /caf\xc3\xa9 \xff?q=a b\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 \xfe\r\nContent-Type: text/\xff\r\nDate: \xff\r\nContent-Length: 2\r\n\r\nOK",
    )

    error = failure(client)

    assert upstream.received[1].target == "/caf%C3%A9%20%EF%BF%BD?q=a%20b"
    assert error.code == "not_json"
    assert error.message.encode()
