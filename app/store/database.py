"""Connections to Postgres: one engine per process, JSON by orjson."""

import orjson
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DBAPIError

from app.engine.json_types import JSON
from app.engine.record_rows import encode


def _dumps(value: JSON) -> str:
    return encode(value).decode()


def is_reachable(engine: Engine) -> bool:
    """Tell whether Postgres answers."""
    try:
        with engine.connect() as connection:
            connection.execute(text("select 1"))
    except DBAPIError:
        return False
    return True


def connect(database_url: str, *, pool_size: int = 10) -> Engine:
    """Make the process's engine; it connects at first use, so never before a fork."""
    url = database_url.replace("postgres://", "postgresql://", 1).replace("postgresql://", "postgresql+psycopg://", 1)
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        pool_recycle=1800,
        json_serializer=_dumps,
        json_deserializer=orjson.loads,
        connect_args={"connect_timeout": 5, "application_name": "ferryman", "options": "-c timezone=UTC"},
    )
