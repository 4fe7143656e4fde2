import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from celery import signals

from app import logs
from app.net.loop import LoopThread
from workers import signals as our_signals


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    made = logging.Logger("app.services.runs.deletions")  # noqa: LOG001  # apart from the process's own loggers
    made.addHandler(logging.StreamHandler(io.StringIO()))
    yield made


def written(logger: logging.Logger) -> str:
    (handler,) = logger.handlers
    assert isinstance(handler, logging.StreamHandler)
    return str(handler.stream.getvalue())


def test_facts_stand_behind_the_message(logger: logging.Logger) -> None:
    logs.format_facts(logger)

    logger.warning("records were deleted", extra={"run_id": "r-1", "count": 3})

    assert written(logger).endswith("WARNING app.services.runs.deletions records were deleted run_id=r-1 count=3\n")


def test_facts_stand_before_a_traceback(logger: logging.Logger) -> None:
    logs.format_facts(logger)

    try:
        raise ValueError("broken")
    except ValueError:
        logger.exception("a duty failed", extra={"duty": "sweep"})

    assert written(logger).splitlines()[0].endswith("a duty failed duty=sweep")
    assert written(logger).endswith("ValueError: broken\n")


def test_arguments_of_a_task_are_not_told_beside_its_message(logger: logging.Logger) -> None:
    logs.format_facts(logger)

    logger.info("Task %s received", "t-1", extra={"data": {"args": "['u-1']"}})

    assert written(logger).endswith("Task t-1 received\n")


def test_daemon_writes_facts_once_celery_has_set_up_its_log(logger: logging.Logger) -> None:
    our_signals.install()

    signals.after_setup_logger.send(sender=None, logger=logger)
    logger.warning("a webhook was disabled", extra={"webhook_id": "w-1"})

    assert written(logger).endswith("a webhook was disabled webhook_id=w-1\n")


@pytest.fixture
def json_logger(logger: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> logging.Logger:
    monkeypatch.setenv("FERRYMAN_LOG_FORMAT", "json")
    logs.format_facts(logger)
    return logger


def test_a_line_of_json_has_the_message_and_its_facts(json_logger: logging.Logger) -> None:
    json_logger.warning("records of %s were deleted", "users", extra={"run_id": "r-1", "count": 3, "level": "high"})

    line = json.loads(written(json_logger))
    assert datetime.fromisoformat(line.pop("time")).tzinfo is UTC
    assert line == {
        "level": "warning",
        "logger": "app.services.runs.deletions",
        "message": "records of users were deleted",
        "run_id": "r-1",
        "count": 3,
        "level_": "high",
    }


def test_a_trace_is_within_its_line_of_json(json_logger: logging.Logger) -> None:
    try:
        raise ValueError("broken\nin two lines")
    except ValueError:
        json_logger.exception("a duty failed", extra={"thing": object()})

    (line,) = written(json_logger).splitlines()
    assert json.loads(line)["exception"].endswith("ValueError: broken\nin two lines")


def test_bound_facts_are_in_each_line_within(json_logger: logging.Logger) -> None:
    with logs.bind(run_id="r-1", account_id="a-1"), logs.bind(run_id="r-2"):
        json_logger.info("within")
    json_logger.info("after")

    within, after = map(json.loads, written(json_logger).splitlines())
    assert (within["run_id"], within["account_id"]) == ("r-2", "a-1")
    assert "run_id" not in after


def test_bound_facts_go_along_to_the_event_loop(json_logger: logging.Logger) -> None:
    loop = LoopThread("ferryman-test")

    async def log() -> None:
        json_logger.info("on the loop")

    with logs.bind(run_id="r-1"):
        loop.submit(log()).result()
    loop.close()

    assert json.loads(written(json_logger))["run_id"] == "r-1"
