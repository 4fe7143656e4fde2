"""Errors as RFC 9457 describes them, for callers that ask for ``application/problem+json``."""

from typing import Final

import flask

from app.engine.json_types import JSON, JsonObject

MEDIA_TYPE: Final = "application/problem+json"


def finish(response: flask.Response) -> None:
    """Turn an error into a problem when its caller accepts that type by name."""
    if response.status_code < 400 or MEDIA_TYPE not in flask.request.headers.get("Accept", ""):
        return
    body = response.get_json(silent=True)
    if isinstance(body, dict) and {"statusCode", "error", "message"} <= body.keys():
        response.set_data(flask.json.dumps(make_problem(body, request_id=flask.g.request_id)))
        response.content_type = MEDIA_TYPE


def make_problem(body: JsonObject, *, request_id: str) -> JsonObject:
    """Return an error of the usual form as a problem; members that only some errors have are kept as they are.

    ``type`` names the kind of error for good, and leads nowhere; each of ``errors`` points into the request's body.
    """
    known = {"statusCode", "error", "message", "details"}
    faults = body.get("details", {}).get("failures", [])
    return {
        "type": f"urn:ferryman:problem:{body['error'].lower().replace(' ', '-')}",
        "title": body["error"],
        "status": body["statusCode"],
        "detail": body["message"],
        "instance": f"urn:uuid:{request_id}",
        "errors": [{"pointer": _pointer(fault["path"]), "detail": fault["message"]} for fault in faults],
        **{name: value for name, value in body.items() if name not in known},
    }


def _pointer(path: JSON) -> str:
    """Write a dotted path as a JSON Pointer in a URI's fragment (RFC 6901)."""
    return "#" + "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in str(path).split(".") if part)
