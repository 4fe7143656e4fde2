"""A daemon loads nothing of the API, of the command line, of migrations and of Flower: each daemon has its own copy."""

import subprocess
import sys

_HEAVY = (
    *("flask", "werkzeug", "jinja2", "marshmallow", "apispec", "webargs", "flask_smorest", "gunicorn", "authlib"),
    *("app.api", "app.ui", "app.cli", "alembic", "sqlalchemy.orm", "numpy", "pyarrow", "obstore", "duckdb", "google"),
    *("celery.bin.celery", "flower", "tornado", "prompt_toolkit", "click_repl"),
)
_SCRIPT = f"""
import sys
import workers.daemon, workers.celery_app
import app.bootstrap.daemon
workers.celery_app.app.loader.import_default_modules()
print([one for one in {_HEAVY} if one in sys.modules])
"""


def test_daemon_loads_nothing_that_it_does_not_need() -> None:
    environment = {
        "DATABASE_URL": "postgresql:///x",
        "BROKER_URL": "memory://",
        "FERRYMAN_ENCRYPTION_KEY": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    }

    told = subprocess.run([sys.executable, "-c", _SCRIPT], env=environment, capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "[]"
