"""An upstream whose answers are made to stop whoever reads them.

GET /<attack>-<count>/tickets    so many tickets
GET /<attack>-<count>/comments   the attack:
    charset    2 KB that unpack to 1.5 MB in a charset which takes quadratic time
    xml        some 130 KB that unpack to 95 MB of small elements
    json       40 MB of small objects
    bomb       some 100 KB that unpack to more than the limit
"""

import gzip
import json
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Final

from bench.servers.raw_http import RawConnection, serve

_MEGABYTE: Final = 1_000_000


@cache
def _charset() -> tuple[bytes, bytes]:
    text = b'["' + b"a" * (3 * _MEGABYTE // 2) + b'"]'
    return gzip.compress(text), b"Content-Type: application/json; charset=punycode\r\nContent-Encoding: gzip\r\n"


@cache
def _xml() -> tuple[bytes, bytes]:
    element = b"<one><of>a text of some length that is the same</of></one>"
    text = b"<all>" + element * (95 * _MEGABYTE // len(element)) + b"</all>"
    return gzip.compress(text), b"Content-Type: application/xml\r\nContent-Encoding: gzip\r\n"


@cache
def _json() -> tuple[bytes, bytes]:
    text = b"[" + b'{"id":1,"name":"a"},' * (2 * _MEGABYTE) + b"null]"
    return text, b"Content-Type: application/json\r\n"


@cache
def _bomb() -> tuple[bytes, bytes]:
    packer = zlib.compressobj(9, wbits=31)
    text = b"".join(packer.compress(b" " * _MEGABYTE) for _ in range(110)) + packer.flush()
    return text, b"Content-Type: application/json\r\nContent-Encoding: gzip\r\n"


_ANSWERS: Final[Mapping[str, Callable[[], tuple[bytes, bytes]]]] = {
    "charset": _charset,
    "xml": _xml,
    "json": _json,
    "bomb": _bomb,
}


class HostileConnection(RawConnection):
    """A client's connection."""

    def received(self, method: str, path: str, head: bytes, body: bytes) -> None:
        """Answer at once."""
        attack, _, rest = path[1:].partition("-")
        count, _, resource = rest.partition("/")
        if resource.startswith("tickets"):
            self.answer(json.dumps([{"id": id} for id in range(1, int(count) + 1)]).encode())
            return
        content, headers = _ANSWERS[attack]()
        self.answer(content, headers=headers)


if __name__ == "__main__":
    for make in _ANSWERS.values():
        make()
    serve(HostileConnection)
