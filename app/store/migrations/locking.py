"""Lock tables that other processes use, so that none of them waits for long."""

import time
from typing import Final

from alembic import op
from sqlalchemy import text

from app.engine.errors import StoreUnavailableError

_TRIES: Final = 120
_PAUSE_SECONDS: Final = 1.0


def lock_tables(*names: str) -> None:
    """Lock tables for the rest of the transaction, all or none.

    Statements behind a waiting lock have to wait as well. So it is given up after a second, and tried again later:
    a very large page, which has its tables for a minute, keeps nobody else waiting.
    """
    connection = op.get_bind()
    for tries_left in reversed(range(_TRIES)):
        try:
            with connection.begin_nested():
                connection.execute(text("set local lock_timeout = '1s'"))
                connection.execute(text(f"lock table {', '.join(names)} in access exclusive mode"))
                connection.execute(text("set local lock_timeout to default"))
                return
        except StoreUnavailableError:
            if not tries_left:
                raise
            time.sleep(_PAUSE_SECONDS)
