"""Send spans to a collector by OTLP, with OpenTelemetry's SDK: imported only where traces are on.

A collector that is away or slow costs no run anything: spans wait in a queue of bounded length, and those that find it
full, or are refused, are counted and dropped.
"""

import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

import requests
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from app import meters
from app.tracing import Kind, Span

logger = logging.getLogger(__name__)

_KINDS: Final = {
    Kind.INTERNAL: SpanKind.INTERNAL,
    Kind.SERVER: SpanKind.SERVER,
    Kind.CLIENT: SpanKind.CLIENT,
    Kind.PRODUCER: SpanKind.PRODUCER,
    Kind.CONSUMER: SpanKind.CONSUMER,
}


class OtlpRecorder:
    """Records spans of this process; started after a fork, since it has a thread."""

    def __init__(self, resource: Mapping[str, str], *, most_waiting: int, most_at_once: int) -> None:
        """``resource`` describes this process, as far as the ``OTEL_`` variables do not."""
        # It logs each attempt, with the collector's address; the queue below logs the first failure.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        described = {**resource, **OTELResourceDetector().detect().attributes}
        self._ids = _GivenIds()
        self._queue = _Queue(most_waiting)
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=Resource.create(described),
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        # A short queue is sent at once as a whole.
        most_at_once = min(most_at_once, most_waiting)
        self._provider.add_span_processor(
            BatchSpanProcessor(self._queue, max_queue_size=most_waiting, max_export_batch_size=most_at_once)
        )
        self._tracer = self._provider.get_tracer("ferryman")

    def record(self, span: Span) -> None:
        """Put a span that has ended into the queue, if there is room for it."""
        if not self._queue.take_room():
            return
        self._ids.give(span)
        made = self._tracer.start_span(
            span.name,
            context=_build_parent(span),
            kind=_KINDS[span.kind],
            attributes=span.attributes,
            links=[Link(context)] if (context := _read_link(span.link)) else [],
            start_time=span.started_ns,
        )
        if span.error is not None:
            made.set_attribute("error.type", span.error)
            made.set_status(Status(StatusCode.ERROR))
        made.end(span.ended_ns)

    def close(self, *, within_seconds: float) -> None:
        """Send what waits, but wait no longer than this."""
        closing = threading.Thread(target=self._provider.shutdown, name="ferryman-traces-end", daemon=True)
        closing.start()
        closing.join(within_seconds)
        if closing.is_alive():
            self._queue.shutdown()


class _GivenIds(IdGenerator):
    """Gives each span the ids that it has already."""

    def __init__(self) -> None:
        self._given = threading.local()

    def give(self, span: Span) -> None:
        self._given.span = span

    def generate_span_id(self) -> int:
        return int(self._given.span.id, 16)

    def generate_trace_id(self) -> int:
        return int(self._given.span.trace_id, 16)


class _Queue(SpanExporter):
    """Counts the spans that wait, so that there are never more than there may be, and those that are not sent."""

    def __init__(self, most: int) -> None:
        self._session = _WatchedSession()
        self._exporter = OTLPSpanExporter(session=self._session)
        self._most = most
        self._waiting = 0
        self._lock = threading.Lock()
        self._is_failing = False

    def take_room(self) -> bool:
        """Whether one more span may wait; else it is dropped, and counted."""
        with self._lock:
            has_room = self._waiting < self._most
            self._waiting += has_room
        if not has_room:
            meters.SPANS_DROPPED.labels("queue_full").inc()
        return has_room

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans; those that the collector does not take are dropped."""
        with self._lock:
            self._waiting -= len(spans)
        result = self._exporter.export(spans)
        is_sent = result is SpanExportResult.SUCCESS
        if is_sent:
            meters.SPANS_SENT.inc(len(spans))
        else:
            meters.SPANS_DROPPED.labels("not_sent").inc(len(spans))
        self._log_change(is_failing=not is_sent)
        return result

    def shutdown(self) -> None:
        """End, and wait for no further attempt."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def _log_change(self, *, is_failing: bool) -> None:
        if is_failing and not self._is_failing:
            logger.warning("traces can not be sent, and are dropped", extra={"reason": self._session.outcome})
        elif self._is_failing and not is_failing:
            logger.info("traces are sent again")
        self._is_failing = is_failing


class _WatchedSession(requests.Session):  # type: ignore[misc]  # requests has no types
    """Keeps what the last request came to, without an address or a text of the collector."""

    outcome = "nothing was sent"

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        try:
            response = super().send(request, **options)
        except requests.RequestException as error:
            self.outcome = type(error).__name__
            raise
        self.outcome = f"answered {response.status_code}"
        return response


def _build_parent(span: Span) -> Context:
    if span.parent_id is None:
        return Context()
    parent = SpanContext(
        trace_id=int(span.trace_id, 16),
        span_id=int(span.parent_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )
    return set_span_in_context(NonRecordingSpan(parent), Context())


def _read_link(traceparent: str | None) -> SpanContext | None:
    if traceparent is None:
        return None
    _, trace_id, span_id, flags = traceparent.split("-")[:4]
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))
