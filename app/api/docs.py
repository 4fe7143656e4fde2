"""The page that shows the OpenAPI document, from files of this machine only."""

import importlib.util
from pathlib import Path
from typing import Any, Final

import flask
from markupsafe import escape

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
_START: Final = """const filtered = (groups, phrase) => {
  const wanted = phrase.toLowerCase();
  const fits = (one, tag) =>
    [tag, one.get("method"), one.get("path"), ...["operationId", "summary"].map((key) => one.getIn(["operation", key]))]
      .join(" ").toLowerCase().includes(wanted);
  return groups
    .map((group, tag) => group.update("operations", (all) => all.filter((one) => fits(one, tag))))
    .filter((group) => group.get("operations").size > 0);
};
SwaggerUIBundle({
  url: URL_OF_DOCUMENT,
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayOperationId: true,
  docExpansion: "list",
  filter: true,
  persistAuthorization: true,
  plugins: [() => ({ fn: { opsFilter: filtered } })],
});
"""
"""Swagger UI's own filter searches tags only; this one also searches paths, ids and summaries."""
_URL: Final = "URL_OF_DOCUMENT"
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
    """Return the script that starts the page."""
    url = flask.json.dumps(f"{flask.request.script_root}/openapi.json")
    return flask.Response(_START.replace(_URL, url), mimetype="text/javascript")


@blueprint.get("/<name>")
def file(name: str) -> flask.Response:
    """Return one of Swagger UI's files."""
    return flask.send_from_directory(_swagger_ui(), name, max_age=3600)


def _swagger_ui() -> Path:
    # Found, not imported: only the files of Swagger UI are used, not the package's own blueprint.
    package: Any = importlib.util.find_spec("flask_swagger_ui")
    return Path(package.origin).parent / "dist"
