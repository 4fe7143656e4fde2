"""What a collector gets by OTLP, and that one which is away, slow or full costs a run nothing."""

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.fernet import Fernet

from app import meters, tracing
from app.bootstrap.tracing import start_tracing
from app.cli.main import main
from app.engine.ids import new_id
from app.otlp import OtlpRecorder
from app.setting_errors import MissingSettingError
from app.settings import Settings
from app.tracing import Kind
from tests.support.collector import Collector
from tests.support.http_server import Response

SETTINGS = Settings(database_url="postgresql:///x", broker_url="memory://", encryption_key="", tracing=1)


@pytest.fixture
def own_collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A collector of the test's own, to which this process sends."""
    made = Collector()
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    yield made
    tracing.stop()
    made.close()


def dropped(reason: str) -> float:
    return meters.REGISTRY.get_sample_value("ferryman_spans_dropped_total", {"reason": reason}) or 0.0


def record(run_id: str, count: int) -> float:
    """Record spans; give how long that took."""
    begun = time.perf_counter()
    for _ in range(count):
        with tracing.span("slice", run_id=run_id):
            pass
    return time.perf_counter() - begun


def test_collector_gets_spans_as_they_were(own_collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=eu")
    run_id = new_id()
    start_tracing(SETTINGS, service="ferryman-daemon", instance="d-1")

    with tracing.span("slice users", {"ferryman.unit.id": "u"}, kind=Kind.CONSUMER, run_id=run_id) as slice:
        slice.link = f"00-{'1' * 32}-{'2' * 16}-01"
        with pytest.raises(ValueError), tracing.span("GET /users", kind=Kind.CLIENT):
            raise ValueError
    tracing.record_run(run_id, {}, started_at=datetime.now(UTC), error=None)
    tracing.stop()

    spans = {span.name: span for span in own_collector.trace(run_id)}
    assert (spans["run"].parent_id, spans["run"].id) == ("", spans["slice users"].parent_id)
    assert spans["GET /users"].parent_id == spans["slice users"].id == slice.id
    assert (spans["GET /users"].kind, spans["slice users"].kind) == ("client", "consumer")
    assert (spans["GET /users"].is_error, spans["slice users"].is_error) == (True, False)
    assert spans["GET /users"].attributes["error.type"] == "ValueError"
    assert spans["slice users"].links == ("1" * 32,)
    assert spans["slice users"].service == "ferryman-daemon"


def test_operator_names_the_service(own_collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "sync-eu")
    run_id = new_id()
    start_tracing(SETTINGS, service="ferryman-daemon")

    record(run_id, 1)
    tracing.stop()

    assert own_collector.trace(run_id)[0].service == "sync-eu"


@pytest.mark.parametrize("variables", [{"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"}])
def test_operator_turns_all_off(
    own_collector: Collector, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    start_tracing(SETTINGS, service="ferryman-daemon")

    assert not tracing.is_on()


def test_collector_that_is_away_is_logged_once_and_counted(
    own_collector: Collector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    own_collector.answer = lambda: Response(status=401, body=b"secret words of the collector")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"{own_collector.url}?key=secret")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{own_collector.url}/v1/traces?key=secret")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "5")
    before, run_id = dropped("not_sent"), new_id()
    with caplog.at_level(logging.INFO):
        start_tracing(SETTINGS, service="ferryman-daemon")
        record(run_id, 20)
        tracing.stop()

    assert dropped("not_sent") - before == 20
    told = [one for one in caplog.records if one.levelno >= logging.WARNING]
    assert [(one.name, one.getMessage(), vars(one)["reason"]) for one in told] == [
        ("app.otlp", "traces can not be sent, and are dropped", "answered 401")
    ]
    assert "secret" not in caplog.text


def test_collector_that_hangs_holds_up_nobody(own_collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = threading.Event()

    def hang() -> Response:
        opened.wait(30)
        return Response()

    own_collector.answer = hang
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "100")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10")
    before, run_id = dropped("queue_full"), new_id()
    start_tracing(SETTINGS, service="ferryman-daemon")

    seconds = record(run_id, 1000)
    begun = time.monotonic()
    tracing.stop()
    goodbye = time.monotonic() - begun
    opened.set()

    assert 880 <= dropped("queue_full") - before <= 900
    assert seconds < 5
    assert goodbye < 10


def test_killed_collector_ends_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    killed = Collector()
    killed.close()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", killed.url)
    before = dropped("not_sent") + dropped("queue_full")
    recorder = OtlpRecorder({"service.name": "tests"}, most_waiting=10, most_at_once=5)
    tracing.start(recorder.record, close=lambda: recorder.close(within_seconds=0.2))

    record(new_id(), 30)
    begun = time.monotonic()
    tracing.stop()

    assert time.monotonic() - begun < 5
    assert dropped("queue_full") + dropped("not_sent") - before >= 15


def test_process_that_ends_sends_what_waits(own_collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = new_id()
    script = f"""
from app import tracing
from app.bootstrap.tracing import start_tracing
from app.settings import Settings

start_tracing(Settings(database_url="", broker_url="", encryption_key="", tracing=1), service="api")
with tracing.span("slice", run_id="{run_id}"):
    pass
"""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")

    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)

    assert [span.name for span in own_collector.trace(run_id)] == ["slice"]


def test_child_of_a_fork_sends_what_is_its_own_alone(own_collector: Collector) -> None:
    run_id, child_run = new_id(), new_id()
    start_tracing(SETTINGS, service="parent")
    record(run_id, 1)

    if (child := os.fork()) == 0:
        # A daemon starts its services, and this, after it was forked.
        start_tracing(SETTINGS, service="child")
        record(child_run, 1)
        tracing.stop()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    tracing.stop()

    assert status == 0
    assert [span.service for span in own_collector.trace(run_id)] == ["parent"]
    assert [span.service for span in own_collector.trace(child_run)] == ["child"]


def test_every_variable_that_is_wrong_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {
        "OTEL_TRACES_SAMPLER": "sometimes",
        "OTEL_TRACES_SAMPLER_ARG": "10%",
        "OTEL_TRACES_EXPORTER": "jaeger",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318",
        "OTEL_BSP_MAX_QUEUE_SIZE": "0",
        "OTEL_BSP_SCHEDULE_DELAY": "soon",
    }
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(MissingSettingError) as caught:
        start_tracing(SETTINGS, service="ferryman-api")

    for name in wrong:
        assert f"{name}: expected" in str(caught.value)
    assert not tracing.is_on()


def test_wrong_variable_is_one_sentence_before_anything_starts(tmp_path: Path) -> None:
    environment = {
        "DATABASE_URL": "postgresql:///nowhere",
        "BROKER_URL": "memory://",
        "FERRYMAN_ENCRYPTION_KEY": Fernet.generate_key().decode(),
        "FERRYMAN_TRACING": "1",
        "OTEL_TRACES_SAMPLER": "sometimes",
    }

    told = CliRunner(env=environment).invoke(main, ["prepare", str(tmp_path / "token")])

    assert told.exit_code == 1
    assert told.stderr.startswith("Error: OTEL_TRACES_SAMPLER: expected always_on, always_off, traceidratio")


@pytest.mark.parametrize(
    ("sampler", "share", "is_traced"),
    [
        ("", "", True),
        ("parentbased_always_on", "", True),
        ("always_off", "", False),
        ("traceidratio", "0", False),
        ("parentbased_traceidratio", "1.0", True),
        ("traceidratio", "", True),
    ],
)
def test_sampler_is_opentelemetrys_own_variable(
    own_collector: Collector, monkeypatch: pytest.MonkeyPatch, sampler: str, share: str, is_traced: bool
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", share)
    run_id = new_id()

    start_tracing(SETTINGS, service="ferryman-api")
    record(run_id, 1)
    tracing.stop()

    assert bool(own_collector.trace(run_id)) is is_traced


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.bootstrap.tracing._SDK", "opentelemetry.exporter.nothing")

    with pytest.raises(MissingSettingError, match=r"FERRYMAN_TRACING: .*pip install 'ferryman\[otel\]'"):
        start_tracing(SETTINGS, service="ferryman-api")


def test_off_by_default(own_collector: Collector) -> None:
    start_tracing(Settings(database_url="", broker_url="", encryption_key=""), service="ferryman-api")

    assert not tracing.is_on()
