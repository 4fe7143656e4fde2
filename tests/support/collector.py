"""A collector of traces: it takes OTLP over HTTP, as OpenTelemetry's own does, and keeps what it got."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.http_server import HttpServer, Request, Response
from tests.support.patience import wait_for

_KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")
_ERROR = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """A span as it came."""

    name: str
    kind: str
    trace_id: str
    id: str
    parent_id: str
    service: str
    attributes: Mapping[str, Any]
    is_error: bool
    links: tuple[str, ...]
    """The traces of the spans that led to it."""
    seconds: float


class Collector:
    """Takes spans until it is closed."""

    def __init__(self) -> None:
        self.answer: Callable[[], Response] = lambda: Response(headers={"Content-Type": "application/x-protobuf"})
        self.bodies: list[bytes] = []
        self._spans: dict[str, list[Collected]] = {}
        self._read = 0
        self._lock = threading.Lock()
        self._server = HttpServer(self._take)
        self.url = self._server.url

    @property
    def environment(self) -> Mapping[str, str]:
        """What makes a process of Ferryman send its traces here."""
        return {"FERRYMAN_TRACING": "1", "OTEL_EXPORTER_OTLP_ENDPOINT": self.url, "OTEL_BSP_SCHEDULE_DELAY": "200"}

    def trace(self, run_id: str) -> list[Collected]:
        """List what has come of a run's trace."""
        with self._lock:
            while self._read < len(self.bodies):
                for span in _read_spans(self.bodies[self._read]):
                    self._spans.setdefault(span.trace_id, []).append(span)
                self._read += 1
        return list(self._spans.get(run_id.replace("-", ""), ()))

    def wait_for(self, run_id: str, *names: str, fetched: int = 0) -> list[Collected]:
        """Wait until a run's trace has spans of these names, and what its spans are below; give all of it.

        ``fetched`` are the records that its pages have together: each process sends its spans by itself.
        """

        def is_there() -> list[Collected]:
            spans = self.trace(run_id)
            above = {span.parent_id for span in spans} - {""}
            is_whole = set(names) <= {span.name for span in spans} and above <= {span.id for span in spans}
            has_all = sum(int(span.attributes.get("ferryman.records.fetched", 0)) for span in spans) >= fetched
            return spans if is_whole and has_all else []

        return wait_for(is_there, what=f"the spans {', '.join(names)} of run {run_id}")

    def close(self) -> None:
        """Stop listening."""
        self._server.close()

    def _take(self, request: Request) -> Response:
        assert request.path == "/v1/traces"
        answer = self.answer()
        if answer.status == 200:
            self.bodies.append(request.body)
        return answer


def _read_spans(body: bytes) -> list[Collected]:
    return [
        Collected(
            name=span.name,
            kind=_KINDS[span.kind],
            trace_id=span.trace_id.hex(),
            id=span.span_id.hex(),
            parent_id=span.parent_span_id.hex(),
            service=_read_attributes(of_process.resource)["service.name"],
            attributes=_read_attributes(span),
            is_error=span.status.code == _ERROR,
            links=tuple(link.trace_id.hex() for link in span.links),
            seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
        )
        for of_process in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in of_process.scope_spans
        for span in scope.spans
    ]


def _read_attributes(holder: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in holder.attributes}
