"""Read a request's body so that the application can tell a malformed one from a fault of its own."""

from dataclasses import dataclass
from typing import Any

from gunicorn.http.errors import ParseException


@dataclass(frozen=True, slots=True)
class BodyReader:
    """What reads a body for gunicorn; raises OSError for malformed chunks, as for a client that has gone.

    Werkzeug answers an OSError by a 400, and gunicorn's own errors are unknown to it.
    """

    reader: Any

    def read(self, size: int) -> bytes:
        """Return the next bytes, none at the end."""
        try:
            data: bytes = self.reader.read(size)
        except ParseException as error:
            raise OSError("the body is malformed") from error
        return data
