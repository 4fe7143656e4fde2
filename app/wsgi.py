"""The WSGI application that gunicorn serves: ``app.wsgi:app``."""

from app import interpreter, settings
from app.api.application import create_app
from app.bootstrap.api import build_api_services
from app.bootstrap.tracing import start_tracing
from app.logs import configure_logging
from app.ui.mounting import mount

configure_logging()
_settings = settings.read_environment()
start_tracing(_settings, service="ferryman-api")
app = mount(create_app(build_api_services(_settings), _settings))
interpreter.tune_garbage_collection()
interpreter.raise_recursion_limit()
