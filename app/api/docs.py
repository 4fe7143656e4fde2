"""The OpenAPI document and the page that shows it, from files of this machine only."""

from pathlib import Path
from typing import Any, Final

import flask
import swagger_ui_bundle
from flask_smorest import Api

OPENAPI_CONFIG: Final[dict[str, Any]] = {
    "API_TITLE": "Ferryman",
    "API_VERSION": "0.1.0",
    "OPENAPI_VERSION": "3.1.0",
    "OPENAPI_URL_PREFIX": "/",
    "OPENAPI_JSON_PATH": "openapi.json",
}

_FILES: Final = Path(swagger_ui_bundle.swagger_ui_path)
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Ferryman API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
_START: Final = 'SwaggerUIBundle({url: "/openapi.json", dom_id: "#swagger-ui", persistAuthorization: true});'

blueprint = flask.Blueprint("docs", __name__, url_prefix="/docs")


@blueprint.get("")
def page() -> flask.Response:
    """Show the docs page."""
    response = flask.Response(_PAGE, mimetype="text/html")
    response.headers["Content-Security-Policy"] = (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"
    )
    return response


@blueprint.get("/start.js")
def start() -> flask.Response:
    """Give the line of script that starts the page."""
    return flask.Response(_START, mimetype="text/javascript")


@blueprint.get("/<name>")
def file(name: str) -> flask.Response:
    """Give one of Swagger UI's files."""
    return flask.send_from_directory(_FILES, name)


def describe(api: Api) -> None:
    """Add to the document what the blueprints do not say: that all but a few paths need a token."""
    api.spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    api.spec.options["security"] = [{"bearer": []}]
