"""Neither upstreams nor webhooks lead to what only this server reaches, however its address is written."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.destinations.webhook_sender import HttpWebhookSender
from app.engine.errors import DeliveryError
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.webhooks import Webhook
from app.engine.record_errors import SourceError
from app.net.addresses import AllowedNetworks
from app.net.loop import LoopThread
from app.sources.http_source import HttpSource
from tests.integration.sources.raw_upstream import SETTINGS, Client, Upstream, reply
from tests.support.names import resolve_all_to

HOSTS = [
    *("127.0.0.1", "localhost", "LOCALHOST", "0x7f000001", "0x7f.1", "0.0.0.0", "[::1]", "[::]"),
    "[::ffff:127.0.0.1]",
    *("[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[0:0:0:0:0:0:0:1]"),
    *("169.254.169.254", "[::ffff:a9fe:a9fe]", "[fd00:ec2::254]", "100.100.100.200", "168.63.129.16"),
    *("10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "[fe80::1]", "[fc00::1]", "224.0.0.1"),
]
NOT_CANONICAL = ["127.1", "127.0.1", "2130706433", "0177.0.0.1", "017700000001", "0"]


class _Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)


@pytest.fixture
def guarded() -> Iterator[HttpSource]:
    source = HttpSource(replace(SETTINGS, allowed_networks="127.0.0.2/32"))
    yield source
    source.close()


@pytest.fixture
def send() -> Iterator[Callable[[str], None]]:
    sender = _sender("")
    yield lambda url: sender.send_test(_webhook(url))
    sender.close()


@pytest.mark.parametrize("host", HOSTS)
def test_an_upstream_can_not_be_a_place_within(guarded: HttpSource, upstream: Upstream, host: str) -> None:
    with pytest.raises(SourceError) as caught:
        Client(guarded, f"http://{host}:{upstream.port}").fetch()

    assert (caught.value.code, caught.value.retryable) == ("blocked_address", False)
    assert "FERRYMAN_ALLOWED_NETWORKS" in caught.value.message
    assert upstream.connections == 0


@pytest.mark.parametrize("host", HOSTS)
def test_a_webhook_can_not_be_a_place_within(send: Callable[[str], None], upstream: Upstream, host: str) -> None:
    with pytest.raises(DeliveryError) as caught:
        send(f"http://{host}:{upstream.port}/hook")

    assert (caught.value.code, caught.value.is_final) == ("blocked_address", True)
    assert "FERRYMAN_ALLOWED_NETWORKS" in caught.value.message
    assert upstream.connections == 0


@pytest.mark.parametrize("host", NOT_CANONICAL)
def test_an_odd_form_of_an_address_leads_nowhere(
    guarded: HttpSource, send: Callable[[str], None], upstream: Upstream, host: str
) -> None:
    with pytest.raises(SourceError) as of_source:
        Client(guarded, f"http://{host}:{upstream.port}").fetch()
    with pytest.raises(DeliveryError) as of_webhook:
        send(f"http://{host}:{upstream.port}/hook")

    assert (of_source.value.code, of_source.value.retryable) == ("request", False)
    assert of_webhook.value.is_final
    assert upstream.connections == 0


def test_a_name_that_is_bound_anew_is_checked_where_it_leads_then(
    guarded: HttpSource, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_all_to(monkeypatch, "127.0.0.1")

    with pytest.raises(SourceError) as caught:
        Client(guarded, f"http://rebound.example:{upstream.port}").fetch()

    assert caught.value.code == "blocked_address"
    assert "'rebound.example'" in caught.value.message
    assert "127.0.0.1" not in caught.value.message
    assert upstream.connections == 0


def test_of_the_addresses_of_a_name_only_the_allowed_are_connected_to(
    guarded: HttpSource, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_all_to(monkeypatch, "127.0.0.1", "127.0.0.2")

    with pytest.raises(SourceError) as caught:
        Client(guarded, f"http://both.example:{upstream.port}").fetch()

    assert caught.value.code == "connect"
    assert "127.0.0.2" in caught.value.message
    assert upstream.connections == 0


def test_a_redirect_leads_to_no_other_host(client: Client, upstream: Upstream) -> None:
    upstream.answer = lambda _: reply(status=307, headers={"Location": "http://169.254.169.254/latest/meta-data"})

    with pytest.raises(SourceError) as caught:
        client.fetch(config=client.config(headers={"X-Api-Key": "canary"}))

    assert caught.value.code == "request"
    assert len(upstream.received) == 1


def test_credentials_do_not_follow_a_redirect_to_another_port(client: Client, upstream: Upstream) -> None:
    other = Upstream()
    upstream.answer = lambda _: reply(status=308, headers={"Location": f"{other.url}/else"})

    with pytest.raises(SourceError):
        client.fetch(config=client.config(authorization={"format": "bearer", "token": "canary"}))

    assert other.connections == 0
    other.close()


def test_a_webhook_follows_no_redirect(upstream: Upstream) -> None:
    sender = _sender("127.0.0.0/8")
    upstream.answer = lambda _: reply(status=307, headers={"Location": f"{upstream.url}/else"})

    with pytest.raises(DeliveryError, match="307"):
        sender.send_test(_webhook(upstream.url))

    assert len(upstream.received) == 1
    sender.close()


def test_of_a_receivers_answer_only_the_beginning_is_read(upstream: Upstream) -> None:
    sender = _sender("127.0.0.0/8")
    upstream.answer = lambda _: reply(raw=b"no " * 10_000_000, status=500)

    with pytest.raises(DeliveryError) as caught:
        sender.send_test(_webhook(upstream.url))

    assert len(caught.value.message) < 600
    sender.close()


def _sender(networks: str) -> HttpWebhookSender:
    return HttpWebhookSender(
        loop=LoopThread("webhooks"), clock=_Clock(), timeout_seconds=5, allowed=AllowedNetworks.parse(networks)
    )


def _webhook(url: str) -> Webhook:
    now = datetime.now(UTC)
    return Webhook(
        id="w", environment_id=EnvironmentId("e"), target_url=url, secret="s", created_at=now, updated_at=now
    )
