"""Bodies of direct calls that are sent unchanged, and answers that are returned unchanged: files, multipart forms.

A body of a JSON type is parsed as JSON; so are texts, since some clients send JSON as that, and the form type that curl
sets by default. ``truto_body_passthrough`` decides for any body whether it is parsed.
"""

import re
from typing import Final

import flask

from app.api.parsing.parsing import read_raw
from app.engine.errors import Failure, InvalidInputError
from app.engine.json_types import JSON, JsonObject
from app.services.ports import PlainAnswer, RawBody

PASSTHROUGH: Final = "truto_body_passthrough"
_UNTOLD_TYPE: Final = "application/octet-stream"
_READ: Final = re.compile(r"(?:|[\w.+-]+/(?:[\w.+-]*\+)?json|text/plain|application/x-www-form-urlencoded)\Z", re.ASCII)


def take(request: flask.Request, query: JsonObject) -> RawBody | None:
    """Return the body if it is sent unchanged, and take the passthrough parameter out of the query.

    None is a body to be parsed as JSON. Raises InvalidInputError for a passthrough that is neither true nor false.
    """
    is_asked_for = _flag(query.pop(PASSTHROUGH, ""))
    media_type = request.mimetype.lower()
    if is_asked_for is False or (is_asked_for is None and _READ.match(media_type)):
        return None
    content = read_raw(request)
    if not content:
        return None
    content_type = request.headers.get("Content-Type", "") or _UNTOLD_TYPE
    return RawBody(content=content, content_type=content_type)


def make_response(answer: PlainAnswer, *, status: int | None = None) -> flask.Response:
    """Return an API's answer with its content type; ``status`` replaces its own."""
    content_type = answer.content_type
    if not _is_header(content_type):
        content_type = _UNTOLD_TYPE
    response = flask.Response(answer.body, status=status or answer.status, content_type=content_type)
    if answer.disposition is not None and _is_header(answer.disposition):
        response.headers["Content-Disposition"] = answer.disposition
    return response


def _is_header(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable()


def _flag(text: JSON) -> bool | None:
    match text:
        case "":
            return None
        case "true":
            return True
        case "false":
            return False
        case _:
            raise InvalidInputError([Failure(PASSTHROUGH, "expected true or false")])
