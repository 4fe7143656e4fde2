"""A client of Ferryman's HTTP API: JSON in, JSON out, one sentence for an error."""

import http.client
import json
import shlex
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlencode, urlsplit

from app.engine.errors import FerrymanError
from app.engine.json_types import JSON
from app.stack.data_directory import DataDirectory

_TIMEOUT_SECONDS = 30.0
_DOWNLOAD_TIMEOUT_SECONDS = 600.0
"""Of one piece: before the first one the API may look at all records, to find their columns."""
_PIECE_BYTES = 256 * 1024
_USUAL_DIRECTORY = ".ferryman"


class ApiError(FerrymanError):
    """The API refused a request; ``status`` is None when it did not answer at all."""

    code = "api"

    def __init__(self, status: int | None, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Download:
    """An answer that is read in pieces."""

    headers: Mapping[str, str]
    pieces: Iterator[bytes]
    """Raises ApiError where the answer breaks off."""


class ApiClient:
    """A client of one API; the environment's proxies are not used, since a self-hosted API is near."""

    def __init__(self, url: str, token: str = "") -> None:
        self._url = _parse_url(url)
        self._headers = {"Accept": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    @property
    def url(self) -> str:
        """The address of the API, without a slash at its end, nor what of it may be secret."""
        host = self._url.netloc.rpartition("@")[2]
        return f"{self._url.scheme}://{host}{self._url.path.rstrip('/')}"

    def get(self, path: str, query: Mapping[str, JSON] | None = None) -> JSON:
        """Read a thing, or a page of a listing; a query value of None is left out."""
        given = {name: value for name, value in (query or {}).items() if value is not None}
        return self.call("GET", f"{path}?{urlencode(given)}" if given else path)

    def post(self, path: str, body: JSON = None) -> JSON:
        """Create a thing."""
        return self.call("POST", path, body)

    def patch(self, path: str, body: JSON) -> JSON:
        """Change a thing."""
        return self.call("PATCH", path, body)

    def delete(self, path: str) -> JSON:
        """Remove a thing."""
        return self.call("DELETE", path)

    def make_sign_in_link(self, onwards: str = "") -> str:
        """Return a link that signs in to the dashboard once, and leads to a page of it; raise ApiError."""
        return str(self.post(f"/ui/sign-in-link?{urlencode({'next': onwards})}")["url"])

    def call(self, method: str, path: str, body: JSON = None, *, headers: Mapping[str, str] | None = None) -> JSON:
        """Make any request; raise ApiError when it can not be made or is not answered by a 2xx and JSON."""
        content = None if body is None else json.dumps(body).encode()
        kind = {} if content is None else {"Content-Type": "application/json"}
        connection = self._connection()
        try:
            sent_headers = {**self._headers, **kind, **(headers or {})}
            connection.request(method, self._url.path.rstrip("/") + path, content, sent_headers)
            answer = connection.getresponse()
            return _read_answer(answer.status, answer.read(), f"{method} {path.partition('?')[0]}")
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
            raise ApiError(None, f"can not reach the API at {self._url.geturl()}: {reason}") from error
        except ValueError as error:  # http.client on a line break or a character beyond Latin-1
            raise ApiError(None, f"{method} {path.partition('?')[0]}: the token or a header can not be sent") from error
        finally:
            connection.close()

    @contextmanager
    def download(self, path: str, query: Mapping[str, JSON], *, accept: str) -> Iterator[Download]:
        """Read an answer in pieces; raise ApiError when it is an error, or breaks off before its end."""
        given = {name: value for name, value in query.items() if value is not None}
        with (
            closing(self._connection(_DOWNLOAD_TIMEOUT_SECONDS)) as connection,
            closing(self._begin_download(connection, path, urlencode(given), accept)) as answer,
        ):
            yield Download(headers=dict(answer.getheaders()), pieces=_read_pieces(answer))

    def _begin_download(
        self, connection: http.client.HTTPConnection, path: str, query: str, accept: str
    ) -> http.client.HTTPResponse:
        try:
            headers = {**self._headers, "Accept": accept}
            connection.request("GET", f"{self._url.path.rstrip('/')}{path}?{query}", headers=headers)
            answer = connection.getresponse()
            if answer.status >= 300:
                _read_answer(answer.status, answer.read(), f"GET {path}")
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
            raise ApiError(None, f"can not reach the API at {self._url.geturl()}: {reason}") from error
        return answer

    def _connection(self, timeout_seconds: float = _TIMEOUT_SECONDS) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._url.scheme == "https" else http.client.HTTPConnection
        return kind(self._url.hostname or "", self._url.port, timeout=timeout_seconds)


def _read_pieces(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    try:
        while piece := answer.read1(_PIECE_BYTES):
            yield piece
    except (OSError, http.client.HTTPException) as error:
        raise ApiError(None, "the answer broke off before its end: the API's log has the reason") from error
    if not answer.chunked and answer.length != 0:
        raise ApiError(None, "the answer has no end that differs from a break")


def open_client(url: str | None, token: str | None, data_dir: Path) -> ApiClient:
    """Make a client; a missing URL or token is read from the stack on a data directory."""
    data = DataDirectory(data_dir)
    return ApiClient(url or _find_running_url(data), find_token(token, data_dir))


def find_token(token: str | None, data_dir: Path) -> str:
    """Return the token; one that is not given is read from a data directory."""
    data = DataDirectory(data_dir)
    return token or _read(data.token_file, "no token is in {}; give --token", data)


def _find_running_url(data: DataDirectory) -> str:
    """Return the address of the stack that runs on a directory; those of a copied directory do not count."""
    message = f"no stack runs on {{}}; start 'ferryman up{_name_directory_option(data)}', or give --url"
    if not data.is_in_use():
        raise ApiError(None, message.format(data.root))
    return _read(data.api_url_file, message, data)


def _name_directory_option(data: DataDirectory) -> str:
    """Return the option that names a directory, where a stack would not look by itself."""
    is_usual = data.root == Path(_USUAL_DIRECTORY).resolve()
    return "" if is_usual else f" --data-dir {shlex.quote(str(data.root))}"


def _read(file: Path, message: str, data: DataDirectory) -> str:
    try:
        return file.read_text().strip()
    except OSError as error:
        raise ApiError(None, message.format(data.root)) from error


def _parse_url(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        is_valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is not a number, a bracket too few
        is_valid = False
    if not is_valid:
        raise ApiError(None, f"'{url}' is not the address of an API; expected one like http://127.0.0.1:8000")
    return parts


def _read_answer(status: int, content: bytes, request: str) -> JSON:
    try:
        answer = json.loads(content)
    except ValueError:
        raise ApiError(status, f"{request} answered {status} with something other than JSON") from None
    if status >= 300:
        raise ApiError(status, f"{request} answered {status}: {_explain(answer)}")
    return answer


def _explain(answer: JSON) -> str:
    """Put an error's message and all its failures in one line."""
    if not isinstance(answer, dict):
        return str(answer)
    details = answer.get("details")
    failures = details.get("failures", []) if isinstance(details, dict) else []
    message = str(answer.get("message") or answer.get("error") or "no reason given")
    shown = (f"{failure.get('path')}: {failure.get('message')}" for failure in failures)
    # Most messages are made of the failures: none is shown twice.
    faults = "; ".join(fault for fault in shown if fault not in message)
    return f"{message} ({faults})" if faults else message
