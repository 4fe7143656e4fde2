"""What is answered where gunicorn cannot read a request: JSON in the form of every error, which repeats no value."""

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from gunicorn.http import errors

_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9-]{1,60}")
_OF_ANSWERS: Final = (errors.InvalidResponseHeader, errors.InvalidResponseHeaderName)
_MEANT: Final[Mapping[type[Exception], tuple[HTTPStatus, str]]] = {
    errors.LimitRequestLine: (
        HTTPStatus.REQUEST_URI_TOO_LONG,
        "the request line is too long: expected at most {longest:,} bytes; ask for fewer at once",
    ),
    errors.LimitRequestHeaders: (
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        "the headers are too many or too large: expected at most 100, each of at most 8,190 bytes",
    ),
    errors.InvalidRequestLine: (
        HTTPStatus.BAD_REQUEST,
        "the request line is not valid: expected one such as 'GET /sync-job HTTP/1.1'",
    ),
    errors.InvalidRequestMethod: (HTTPStatus.BAD_REQUEST, "the method is not valid: expected one such as GET"),
    errors.InvalidHTTPVersion: (HTTPStatus.BAD_REQUEST, "the version is not supported: expected HTTP/1.1"),
    errors.ObsoleteFolding: (HTTPStatus.BAD_REQUEST, "a header continues on the next line, which HTTP does not allow"),
    errors.UnsupportedTransferCoding: (
        HTTPStatus.NOT_IMPLEMENTED,
        "the Transfer-Encoding is not supported: expected chunked",
    ),
    errors.ExpectationFailed: (HTTPStatus.EXPECTATION_FAILED, "Expect is not supported: expected 100-continue"),
    errors.InvalidChunkSize: (HTTPStatus.BAD_REQUEST, "the chunks of the body are malformed"),
    errors.ChunkMissingTerminator: (HTTPStatus.BAD_REQUEST, "the chunks of the body are malformed"),
    errors.InvalidChunkExtension: (HTTPStatus.BAD_REQUEST, "the chunks of the body are malformed"),
}


def describe(error: Exception, *, longest: int) -> tuple[HTTPStatus, str]:
    """Return what is answered for an error of gunicorn's; ``longest`` is what a request line may have.

    500 is what is not the request's fault.
    """
    if not isinstance(error, errors.ParseException) or isinstance(error, _OF_ANSWERS):
        return HTTPStatus.INTERNAL_SERVER_ERROR, "an unexpected error occurred"
    if isinstance(error, errors.InvalidHeader | errors.InvalidHeaderName):
        name = str(error.hdr)
        named = f": {name}" if _HEADER_NAME.fullmatch(name) else ""
        return HTTPStatus.BAD_REQUEST, f"a header is not valid{named}"
    status, message = _MEANT.get(type(error), (HTTPStatus.BAD_REQUEST, "the request is not valid HTTP"))
    return status, message.format(longest=longest)


def build_answer(status: HTTPStatus, message: str) -> bytes:
    """Return a whole answer, after which the connection is closed."""
    content = {"statusCode": int(status), "error": status.phrase, "message": message, "details": {"failures": []}}
    body = json.dumps(content).encode()
    head = (
        f"HTTP/1.1 {int(status)} {status.phrase}\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
