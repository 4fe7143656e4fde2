"""Send signed events to webhook receivers over HTTP."""

import asyncio
import os
import time
from concurrent.futures import Future

import aiohttp

from app import meters, tracing
from app.engine.errors import DeliveryError
from app.engine.ids import new_id
from app.engine.json_values import make_text_storable
from app.engine.limits import retry
from app.engine.objects.webhooks import Webhook
from app.engine.webhooks import events, signatures
from app.net import guarded_connections
from app.net.addresses import AllowedNetworks
from app.net.loop import LoopThread
from app.services.ports import Clock
from app.tracing import Kind

_EXCERPT_BYTES = 500
# No limit: the caller limits concurrent requests, and a wait here would be a wait for other receivers.
_CONNECTIONS = 0
_ONLY_PUBLIC = AllowedNetworks()


class HttpWebhookSender:
    """Posts events; a redirect is a failure, since an event is signed for the configured address."""

    def __init__(
        self,
        *,
        loop: LoopThread,
        clock: Clock,
        timeout_seconds: float,
        allowed: AllowedNetworks = _ONLY_PUBLIC,
    ) -> None:
        self._loop = loop
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._allowed = allowed
        self._session: aiohttp.ClientSession | None = None
        self._generation = (0, 0)

    def submit(self, webhook: Webhook, event_id: str, body: bytes) -> "Future[int]":
        """Start to send; the future returns the 2xx status of the answer, or raises DeliveryError."""
        return self._loop.submit(self._post(webhook, event_id, body))

    def send_test(self, webhook: Webhook) -> None:
        """Send a test event once; raise DeliveryError when the receiver does not accept it."""
        envelope = events.Envelope(
            environment_id=webhook.environment_id, webhook_id=webhook.id, created_at=self._clock.now()
        )
        event = events.draft_event(envelope, id=new_id(), event=events.TEST, payload={"foo": "bar"})
        self.submit(webhook, event.id, event.body).result()

    def close(self) -> None:
        """Close every connection; a later event opens new ones."""
        if self._session is not None and self._generation[0] == os.getpid():
            self._loop.submit(self._session.close()).result()
            self._session = None
        self._loop.close()

    async def _post(self, webhook: Webhook, event_id: str, body: bytes) -> int:
        begun, status = time.monotonic(), "none"
        try:
            status = str(await self._trace_send(webhook, event_id, body))
        except DeliveryError as error:
            status = str(error.status or status)
            raise
        finally:
            meters.DELIVERIES.labels(status).inc()
            meters.DELIVERY_SECONDS.observe(time.monotonic() - begun)
        return int(status)

    async def _trace_send(self, webhook: Webhook, event_id: str, body: bytes) -> int:
        """Send as a span of the run that the event is about; of the address only the host is told."""
        facts = {
            **tracing.describe_address(webhook.target_url),
            "http.request.method": "POST",
            "ferryman.webhook.id": webhook.id,
            "ferryman.event.id": event_id,
        }
        with tracing.span("POST", facts, kind=Kind.CLIENT) as span:
            try:
                status = await self._send(webhook, event_id, body)
            except DeliveryError as error:
                span.set({"http.response.status_code": error.status})
                span.error = str(error.status) if error.status else None
                raise
            span.set({"http.response.status_code": status})
        return status

    async def _send(self, webhook: Webhook, event_id: str, body: bytes) -> int:
        now = self._clock.now()
        signed = signatures.sign_headers(
            webhook.list_valid_secrets(now),
            encoding=webhook.signature_encoding,
            event_id=event_id,
            timestamp_seconds=int(now.timestamp()),
            body=body,
        )
        # Without compression, so that the excerpt is limited by received bytes.
        standing = {"Content-Type": "application/json", "User-Agent": "ferryman", "Accept-Encoding": "identity"}
        traced = {} if (traceparent := tracing.find_traceparent()) is None else {"traceparent": traceparent}
        try:
            async with self._open_session().post(
                webhook.target_url, data=body, headers={**standing, **signed, **traced}, allow_redirects=False
            ) as response:
                if 200 <= response.status < 300:
                    return response.status
                excerpt = make_text_storable((await response.content.read(_EXCERPT_BYTES)).decode("utf-8", "replace"))
                raise DeliveryError(
                    f"the receiver answered {response.status}: {excerpt.strip()}".rstrip(": "),
                    status=response.status,
                    retry_after_seconds=retry.read_retry_after(response.headers.get("Retry-After"), self._clock.now()),
                )
        except aiohttp.InvalidURL as error:
            raise DeliveryError("the target's address is not a valid URL", code="request", is_final=True) from error
        except TimeoutError as error:
            raise DeliveryError(f"no answer within {self._timeout_seconds:.0f} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if (blocked := guarded_connections.find_block_error(error)) is not None:
                raise DeliveryError(str(blocked), code="blocked_address", is_final=True) from error
            raise DeliveryError(f"the receiver can not be reached: {type(error).__name__}") from error

    def _open_session(self) -> aiohttp.ClientSession:
        # Runs on the loop, so that no lock is needed. A session of another loop, or from before a fork, is abandoned.
        generation = (os.getpid(), id(asyncio.get_running_loop()))
        if self._session is None or self._generation != generation:
            self._session = aiohttp.ClientSession(
                connector=guarded_connections.make_connector(self._allowed, limit=_CONNECTIONS),
                timeout=aiohttp.ClientTimeout(total=self._timeout_seconds),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
            self._generation = generation
        return self._session
