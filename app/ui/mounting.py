"""The dashboard is mounted into the API's application."""

from collections.abc import Sequence
from typing import Final

import flask

from app.api.resources.services import services_of
from app.ui import errors, openid, rendering, sign_in
from app.ui.screen import Screens
from app.ui.screens.accounts import accounts
from app.ui.screens.audit import audit
from app.ui.screens.bulk_actions import bulk_actions
from app.ui.screens.destinations import destinations
from app.ui.screens.fleet import fleet
from app.ui.screens.incidents import incidents
from app.ui.screens.jobs import jobs
from app.ui.screens.overview import overview
from app.ui.screens.runs import runs
from app.ui.screens.triggers import triggers
from app.ui.screens.webhooks import webhooks

SCREENS: Final[tuple[Screens, ...]] = (
    *(overview, incidents, runs, bulk_actions, accounts, jobs, triggers, webhooks, destinations, fleet, audit),
)
"""In the order of the navigation."""
_REMEMBERED_SECONDS: Final = 365 * 24 * 3600


def mount(app: flask.Flask, offered: Sequence[Screens] = SCREENS) -> flask.Flask:
    """Mount the dashboard at ``/ui``, and return the application."""
    ui = flask.Blueprint(
        "ui",
        __name__,
        url_prefix="/ui",
        template_folder="templates",
        static_folder=rendering.STATIC,
        static_url_path="/static",
    )
    # Their addresses change with their content.
    ui.get_send_file_max_age = _remember  # type: ignore[method-assign]
    ui.register_blueprint(sign_in.blueprint)
    ui.register_blueprint(openid.blueprint)
    for screens in offered:
        ui.register_blueprint(screens)
    app.register_blueprint(ui)
    rendering.prepare(app, [screens.entry for screens in offered if screens.entry])
    errors.answer_pages(app)
    openid.prepare(app, services_of(app).dashboard.openid)
    return app


def _remember(filename: str | None) -> int | None:
    return _REMEMBERED_SECONDS
