"""``If-Match``: change or remove a thing only as the caller has seen it.

The tag of a thing is the hash of what GET shows of it. What is compared here is written for that very state of its row
alone, so that a change which comes in between is not lost: whoever is second is told so.
"""

from collections.abc import Callable
from typing import Final

import flask
from werkzeug.datastructures import ETags

from app.engine.errors import PreconditionFailedError
from app.engine.json_types import JsonObject
from app.engine.objects.lists import RowVersion

PARAMETER: Final[JsonObject] = {
    "in": "header",
    "name": "If-Match",
    "description": "ETags of the thing as you know it: 412 when it is another by now. `*` is whatever is there.",
    "schema": {"type": "string"},
}
HEADERS: Final[JsonObject] = {"ETag": {"description": "For If-Match and If-None-Match.", "schema": {"type": "string"}}}


def check(version: Callable[[], RowVersion | None], show: Callable[[], flask.Response]) -> None:
    """Compare what is there with the request's If-Match, if it has one; raise PreconditionFailedError."""
    if "If-Match" not in flask.request.headers:
        return
    wanted: ETags = flask.request.if_match
    if wanted.star_tag:
        return
    # The version first: what changes after it is refused by the write.
    seen = version()
    tag, _ = show().get_etag()
    if seen is None or tag is None or not wanted.contains(tag):
        raise PreconditionFailedError
    flask.g.row_version = seen


def seen() -> RowVersion | None:
    """Return the version of the row that the request's If-Match is true of; None when any will do."""
    version: RowVersion | None = flask.g.get("row_version")
    return version
