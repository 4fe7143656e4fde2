"""The WSGI application that gunicorn serves: ``app.wsgi:app``."""

from app import gc_tuning, recursion_limit, settings
from app.api.application import create_app
from app.bootstrap.api import build_api_services
from app.logs import configure

configure()
_settings = settings.from_environment()
app = create_app(build_api_services(_settings), _settings)
gc_tuning.calm()
recursion_limit.allow()
