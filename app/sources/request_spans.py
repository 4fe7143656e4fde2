"""The spans of requests to upstreams, by OpenTelemetry's conventions for HTTP clients.

Of an address only the host is recorded, and the path as the integration's config writes it, without values.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from app import tracing
from app.engine.integrations.config import MethodConfig
from app.services.ports import PageCall
from app.sources.exchange.exchange import HttpRequest
from app.sources.exchange.redaction import mask_secrets
from app.tracing import Kind, Span, Value, Within

_HEADER: Final = "traceparent"


def name_request(request: HttpRequest, call: PageCall, config: MethodConfig) -> HttpRequest:
    """Return a request with the path that stands for all of its kind, where its method's config has one."""
    if not tracing.is_on() or call.path is not None:
        return request
    parts = (piece if isinstance(piece, str) else _name_token(piece.readings) for piece in config.path.pieces)
    path, _, _ = "".join(parts).partition("?")
    return replace(request, path_template=mask_secrets(path, request.secrets))


def open_span(request: HttpRequest, attributes: Mapping[str, Value | None]) -> Within | tracing.Nothing:
    """Return the context of one attempt of a request."""
    if not tracing.is_on():
        return tracing.NOTHING
    method, address = request.method.upper(), tracing.describe_address(request.url)
    facts: dict[str, Value | None] = {
        **address,
        "http.request.method": method,
        # A customer's own host may be a secret of the account's context.
        "server.address": mask_secrets(str(address.get("server.address", "")), request.secrets),
        "url.template": request.path_template or None,
        **attributes,
    }
    return tracing.span(f"{method} {request.path_template}".strip(), facts, kind=Kind.CLIENT)


def record_status(span: Span, status: int) -> None:
    """Record the status of the answer, by which an error is one of the span."""
    span.set({"http.response.status_code": status})
    if status >= 400:
        span.error = str(status)


def pass_on(request: HttpRequest) -> HttpRequest:
    """Return a request that names its span to its upstream, unless it has such a header of its own."""
    traceparent = tracing.find_traceparent()
    if traceparent is None or any(name.lower() == _HEADER for name in request.headers):
        return request
    return replace(request, headers={**request.headers, _HEADER: traceparent})


def _name_token(readings: tuple[tuple[tuple[str, ...], str], ...]) -> str:
    """Name a placeholder by where it looks first; a default may be anything, and is left out."""
    return "{" + (".".join(readings[0][0]) if readings else "") + "}"
