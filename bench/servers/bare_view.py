"""The least that a Flask view can do which accepts work: one INSERT and one publish.

Served by the same gunicorn command as the API. BENCH_DATABASE_URL names its database, BROKER_URL its broker.
"""

import json
import os
import threading

import flask
import psycopg
from celery import Celery

from app.engine.ids import new_id

_MAKE = "create table if not exists bare_run (id uuid primary key, body jsonb, created_at timestamptz default now())"
_INSERT = "insert into bare_run (id, body) values (%s, %s)"

QUEUE = "bench-bare"

app = flask.Flask(__name__)
_celery = Celery("bare", set_as_current=False)
_celery.config_from_object("celeryconfig")
_own = threading.local()


@app.get("/healthz")
def healthz() -> dict[str, str]:
    """Make the table, and answer that all is well."""
    _connection().execute(_MAKE)
    return {"status": "ok"}


@app.post("/sync-job-run")
def create() -> tuple[dict[str, str], int]:
    """Write a row and ring."""
    run_id = new_id()
    _connection().execute(_INSERT, [run_id, json.dumps(flask.request.get_json())])
    _celery.send_task("bare.start", args=[run_id], queue=QUEUE, retry=False)
    return {"id": run_id}, 201


def _connection() -> psycopg.Connection:
    if not hasattr(_own, "connection"):
        _own.connection = psycopg.connect(os.environ["BENCH_DATABASE_URL"], autocommit=True)
    connection: psycopg.Connection = _own.connection
    return connection
