"""Send signed events to webhook receivers over HTTP."""

import time
from concurrent.futures import Future

from app import meters, tracing
from app.destinations.json_posts import JsonPosts
from app.engine.errors import DeliveryError
from app.engine.ids import new_id
from app.engine.objects.webhooks import Webhook
from app.engine.webhooks import events, signatures
from app.net.addresses import AllowedNetworks
from app.net.loop import LoopThread
from app.services.ports import Clock
from app.tracing import Kind

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
        self._posts = JsonPosts(clock=clock, timeout_seconds=timeout_seconds, allowed=allowed)

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
        if (session := self._posts.take_session()) is not None:
            self._loop.submit(session.close()).result()
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
        """Send as a span of the run that the event is about; of the address only the host is recorded."""
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
        traced = {} if (traceparent := tracing.find_traceparent()) is None else {"traceparent": traceparent}
        return (await self._posts.post(webhook.target_url, body, {**signed, **traced})).status
