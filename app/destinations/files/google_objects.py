"""Objects on Google Cloud Storage, by Google's own client: each is put by a single request, whose conditions hold."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import requests
from google.api_core import exceptions
from google.auth import exceptions as auth_exceptions
from google.auth.credentials import AnonymousCredentials
from google.auth.transport.requests import AuthorizedSession
from google.cloud import storage
from google.oauth2 import service_account

from app.destinations.files import faults
from app.destinations.files.endpoints import check_endpoint
from app.destinations.files.ports import StoredObject
from app.engine.errors import DestinationError
from app.engine.json_types import JsonObject
from app.net.addresses import AllowedNetworks

_ENDPOINT: Final = "https://storage.googleapis.com"
_SCOPES: Final = ("https://www.googleapis.com/auth/devstorage.read_write",)
_TOKEN_URI: Final = "https://oauth2.googleapis.com/token"  # noqa: S105  # an address
# The second is what an emulator's credentials raise, which can not be renewed.
_REFUSED_KEYS: Final = (auth_exceptions.RefreshError, auth_exceptions.InvalidOperation)
_LISTED: Final = "storage#objects"
"""What a page of a listing says that it is."""
_TIMEOUT_SECONDS: Final = (10.0, 60.0)


def open_google(config: JsonObject, allowed: AllowedNetworks) -> "GoogleObjects":
    """Open a bucket by its valid config."""
    endpoint = check_endpoint(config.get("base_url") or _ENDPOINT, allowed)
    credentials = _read_credentials(config, is_plain=endpoint.is_plain)
    session = AuthorizedSession(credentials) if credentials is not None else None
    if session is not None:
        # A redirect could lead to an address that may not be connected to.
        session.max_redirects = 0
        session.trust_env = False
    client = storage.Client(
        project="none",
        credentials=credentials,
        _http=session,
        client_options={"api_endpoint": endpoint.url},
    )
    return GoogleObjects(client, config["bucket"])


def _read_credentials(config: JsonObject, *, is_plain: bool) -> Any:
    """Return a service account's credentials; None are the machine's own."""
    given = config.get("credentials")
    if given is None:
        return None
    if is_plain:
        return AnonymousCredentials()  # an emulator's, which asks for none
    if given.get("type") != "service_account" or given.get("token_uri", _TOKEN_URI) != _TOKEN_URI:
        message = f"expected the key of a service account, with the token_uri {_TOKEN_URI}"
        raise DestinationError(message, code="wrong_credentials", is_final=True)
    try:
        return service_account.Credentials.from_service_account_info({**given, "token_uri": _TOKEN_URI}, scopes=_SCOPES)
    except ValueError as error:
        message = "the key of the service account can not be read"
        raise DestinationError(message, code="wrong_credentials", is_final=True) from error


class GoogleObjects:
    """The objects of one bucket."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = client.bucket(bucket)

    def put(self, name: str, content: bytes) -> None:
        """Store an object by a single request."""
        with _explain():
            self._upload(name, content)

    def create(self, name: str, content: bytes) -> bool:
        """Store an object where there is none."""
        with _explain():
            try:
                self._upload(name, content, if_generation_match=0)
            except exceptions.PreconditionFailed:
                return False
        return True

    def get(self, name: str) -> bytes | None:
        """Read an object whole."""
        with _explain():
            try:
                return bytes(self._bucket.blob(name).download_as_bytes(timeout=_TIMEOUT_SECONDS, retry=None))
            except exceptions.NotFound:
                return None

    def list(self, folder: str) -> Iterator[StoredObject]:
        """List page by page."""
        prefix = f"{folder}/" if folder else None
        with _explain():
            found = self._client.list_blobs(self._bucket, prefix=prefix, timeout=_TIMEOUT_SECONDS, retry=None)
            for page in found.pages:
                if _LISTED not in page.raw_page.get("kind", ""):
                    raise faults.build_error(faults.FAILS, "its answer is no listing")
                yield from (StoredObject(str(blob.name), int(blob.size or 0)) for blob in page)

    def delete(self, names: Sequence[str]) -> None:
        """Remove objects one by one."""
        with _explain():
            for name in names:
                try:
                    self._bucket.blob(name).delete(timeout=_TIMEOUT_SECONDS, retry=None)
                except exceptions.NotFound:
                    continue

    def close(self) -> None:
        """End its connections."""
        self._client.close()

    def _upload(self, name: str, content: bytes, **conditions: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            blob = self._bucket.blob(name)
            blob.upload_from_string(
                content, "application/octet-stream", timeout=_TIMEOUT_SECONDS, retry=None, checksum="md5", **conditions
            )
        if blob.size != len(content):
            # An error in an answer of 200 has no size.
            raise faults.build_error(faults.FAILS, "its answer names no object")


@contextmanager
def _explain() -> Iterator[None]:
    try:
        yield
    except (exceptions.Unauthorized, exceptions.Forbidden, *_REFUSED_KEYS) as error:
        raise faults.build_error(faults.DENIED) from error
    except exceptions.NotFound as error:
        raise faults.build_error(faults.NO_BUCKET) from error
    except exceptions.GoogleAPICallError as error:
        known = {429: faults.BUSY, 503: faults.BUSY, 200: faults.FAILS}
        meaning = known.get(int(error.code or 0)) or faults.find_in_text(str(error.code))
        raise faults.build_error(meaning, f"status {int(error.code or 0)}") from error
    except (requests.Timeout, auth_exceptions.TransportError, TimeoutError) as error:
        raise faults.build_error(faults.SLOW) from error
    except requests.exceptions.SSLError as error:
        raise faults.build_error(faults.NO_TLS) from error
    except (requests.exceptions.JSONDecodeError, AttributeError) as error:
        # Without a content type that is JSON the client takes the text for what it asks for keys.
        raise faults.build_error(faults.FAILS, "its answer is no JSON") from error
    except (requests.RequestException, OSError) as error:
        raise faults.build_error(faults.AWAY) from error
