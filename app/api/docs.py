"""The OpenAPI document and the page that shows it, from files of this machine only."""

import importlib.util
from pathlib import Path
from typing import Any, Final

import flask
from markupsafe import escape

from app.engine.json_types import JsonObject

OPENAPI_CONFIG: Final[JsonObject] = {
    "API_TITLE": "Ferryman",
    "API_VERSION": "0.1.0",
    "API_SPEC_OPTIONS": {
        "security": [{"bearer": []}],
        "components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
    },
    "OPENAPI_VERSION": "3.1.0",
    "OPENAPI_URL_PREFIX": "/",
    "OPENAPI_JSON_PATH": "openapi.json",
}

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Ferryman API</title>
<link rel="stylesheet" href="{root}/docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="{root}/docs/swagger-ui-bundle.js"></script>
<script src="{root}/docs/start.js"></script>
</body>
</html>
"""
_START: Final = 'SwaggerUIBundle({{url: {url}, dom_id: "#swagger-ui", persistAuthorization: true}});'
_POLICY: Final = "; ".join(
    (
        "default-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)

blueprint = flask.Blueprint("docs", __name__, url_prefix="/docs")


@blueprint.get("")
def page() -> flask.Response:
    """Show the docs page."""
    page = _PAGE.format(root=escape(flask.request.script_root))
    return flask.Response(page, mimetype="text/html", headers={"Content-Security-Policy": _POLICY})


@blueprint.get("/start.js")
def start() -> flask.Response:
    """Give the line of script that starts the page."""
    url = flask.json.dumps(f"{flask.request.script_root}/openapi.json")
    return flask.Response(_START.format(url=url), mimetype="text/javascript")


@blueprint.get("/<name>")
def file(name: str) -> flask.Response:
    """Give one of Swagger UI's files."""
    return flask.send_from_directory(_swagger_ui(), name, max_age=3600)


def _swagger_ui() -> Path:
    # Found, not imported: only the files of Swagger UI are wanted, not the package's own blueprint.
    package: Any = importlib.util.find_spec("flask_swagger_ui")
    return Path(package.origin).parent / "dist"
