import io
import logging
from collections.abc import Iterator

import pytest
from celery import signals

from app import logs
from workers import signals as our_signals


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    made = logging.Logger("app.services.runs.deleting")  # noqa: LOG001  # apart from the process's own loggers
    made.addHandler(logging.StreamHandler(io.StringIO()))
    yield made


def written(logger: logging.Logger) -> str:
    (handler,) = logger.handlers
    assert isinstance(handler, logging.StreamHandler)
    return str(handler.stream.getvalue())


def test_facts_stand_behind_the_message(logger: logging.Logger) -> None:
    logs.format_facts(logger)

    logger.warning("records were deleted", extra={"run_id": "r-1", "count": 3})

    assert written(logger).endswith("WARNING app.services.runs.deleting records were deleted run_id=r-1 count=3\n")


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
