"""``If-Match``: change or remove an object only as the caller has seen it.

The ETag of an object is the hash of what GET answers. The write that follows the comparison applies to that version of
the row only, so that a concurrent change is not lost: the second writer is answered 412.
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
    """Compare the object with the request's If-Match, if it has one; raise PreconditionFailedError."""
    if "If-Match" not in flask.request.headers:
        return
    wanted: ETags = flask.request.if_match
    if wanted.star_tag:
        return
    # The version first: the write refuses any change after it.
    present = version()
    tag, _ = show().get_etag()
    if present is None or tag is None or not wanted.contains(tag):
        raise PreconditionFailedError
    flask.g.row_version = present


def if_match() -> RowVersion | None:
    """Return the version of the row that the request's If-Match names; None when any version is allowed."""
    version: RowVersion | None = flask.g.get("row_version")
    return version
