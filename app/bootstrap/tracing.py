"""Start to trace runs in this process, as ``FERRYMAN_TRACING`` and OpenTelemetry's own variables say."""

import atexit
import os
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any, Final
from urllib.parse import urlsplit

from app import tracing
from app.engine.errors import MissingExtraError
from app.formats.formats import import_extra
from app.numerals import read_decimal
from app.setting_errors import MissingSettingError
from app.settings import Settings
from app.version import find_version

_GOODBYE_SECONDS: Final = 3.0
_QUEUE_LENGTH, _BATCH = "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"
_SPANS, _SPANS_AT_ONCE = 2048, 512
"""The SDK's own defaults."""
_SDK: Final = "opentelemetry.exporter.otlp.proto.http"
_SAMPLER, _SHARE = "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"
_SAMPLERS: Final = ("always_on", "always_off", "traceidratio")


def start_tracing(settings: Settings, *, service: str, instance: str = "") -> None:
    """Record this process's spans from now on, if that is wanted; called after a fork, any number of times.

    Raises MissingSettingError that names every variable that is wrong.
    """
    if not is_wanted(settings):
        tracing.stop()
        return
    check_tracing(settings)
    described = {"service.name": service, "service.version": find_version()}
    recorder = import_extra("app.otlp", extra="otel").OtlpRecorder(
        described | ({"service.instance.id": instance} if instance else {}),
        most_waiting=int(os.environ.get(_QUEUE_LENGTH) or _SPANS),
        most_at_once=int(os.environ.get(_BATCH) or _SPANS_AT_ONCE),
    )
    tracing.start(recorder.record, ratio=_read_ratio(os.environ), close=_build_close(recorder))
    atexit.register(tracing.stop)


def check_tracing(settings: Settings) -> None:
    """Raise MissingSettingError that names every variable of tracing that is wrong, or the extra that is missing."""
    if not is_wanted(settings):
        return
    faults = find_faults(os.environ)
    if not _has_sdk():
        faults.append(f"FERRYMAN_TRACING: {MissingExtraError('otel')}")
    if faults:
        raise MissingSettingError("; ".join(faults))


def is_wanted(settings: Settings) -> bool:
    """Whether this process is to trace runs."""
    return bool(settings.tracing) and not _is_off(os.environ)


def find_faults(environ: Mapping[str, str]) -> list[str]:
    """Return what is wrong with OpenTelemetry's variables, which the SDK would pass over or replace in silence."""
    faults = [(name, check(text)) for name, check in _CHECKS.items() if (text := environ.get(name, "").strip())]
    return [f"{name}: expected {expected}" for name, expected in faults if expected]


def _is_off(environ: Mapping[str, str]) -> bool:
    is_disabled = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return is_disabled or environ.get("OTEL_TRACES_EXPORTER", "").strip() == "none"


def _has_sdk() -> bool:
    """Whether the extra is installed, without the second that it takes to load it."""
    try:
        return find_spec(_SDK) is not None
    except ModuleNotFoundError:
        return False


def _build_close(recorder: Any) -> Callable[[], None]:
    pid = os.getpid()

    def close() -> None:
        # What a fork has copied is its parent's to send.
        if os.getpid() == pid:
            recorder.close(within_seconds=_GOODBYE_SECONDS)

    return close


def _read_ratio(environ: Mapping[str, str]) -> float:
    """Return the share of runs that are traced: a run's trace has no parent, and one decision holds for all of it."""
    match environ.get(_SAMPLER, "").strip().removeprefix("parentbased_"):
        case "always_off":
            return 0.0
        case "traceidratio":
            return float(environ.get(_SHARE, "").strip() or 1)
        case _:
            return 1.0


def _check_sampler(text: str) -> str | None:
    return None if text.removeprefix("parentbased_") in _SAMPLERS else f"{', '.join(_SAMPLERS)}, or parentbased_ of one"


def _check_share(text: str) -> str | None:
    try:
        is_share = 0 <= read_decimal(text) <= 1
    except ValueError:
        is_share = False
    return None if is_share else "a share of the runs from 0 to 1"


def _check_protocol(text: str) -> str | None:
    return None if text == "http/protobuf" else "http/protobuf, which a collector takes on port 4318"


def _check_exporter(text: str) -> str | None:
    return None if text == "otlp" else "otlp or none"


def _check_address(text: str) -> str | None:
    try:
        parts = urlsplit(text)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_address = False
    return None if is_address else "a URL such as http://collector:4318"


def _check_count(text: str) -> str | None:
    return None if text.isascii() and text.isdigit() and int(text) else "a whole number, 1 or more"


_CHECKS: Final[Mapping[str, Callable[[str], str | None]]] = {
    _SAMPLER: _check_sampler,
    _SHARE: _check_share,
    "OTEL_TRACES_EXPORTER": _check_exporter,
    "OTEL_EXPORTER_OTLP_PROTOCOL": _check_protocol,
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": _check_protocol,
    "OTEL_EXPORTER_OTLP_ENDPOINT": _check_address,
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": _check_address,
    _QUEUE_LENGTH: _check_count,
    "OTEL_BSP_SCHEDULE_DELAY": _check_count,
    _BATCH: _check_count,
}
