"""How the log is read: all of a page as of one moment, and each statement planned for what it asks."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, Engine, text

# Environments differ by orders of magnitude: a plan for the average one may read through all of the largest.
_PLAN_EACH: Final = text("set local plan_cache_mode = force_custom_plan")


@contextmanager
def log_reading(engine: Engine) -> Iterator[Connection]:
    """Take a connection for the statements of one page."""
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        connection.execute(_PLAN_EACH)
        yield connection
