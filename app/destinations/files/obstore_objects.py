"""Objects on S3 and Azure, by obstore's calls that wait: its other ones end a process that ends right after them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import AzureStore, S3Store

from app.destinations.files import faults
from app.destinations.files.endpoints import Endpoint, check_endpoint
from app.destinations.files.ports import StoredObject
from app.engine.json_types import JsonObject
from app.net.addresses import AllowedNetworks

_RETRIES: Final[Any] = {"max_retries": 2, "retry_timeout": timedelta(seconds=30)}
"""Few: the destination's own attempts follow, and show meanwhile what is wrong."""
_REQUEST: Final = timedelta(seconds=60)
_CONNECT: Final = timedelta(seconds=10)
_LISTED_AT_ONCE: Final = 1000
_DEFAULT_REGION: Final = "us-east-1"


def open_s3(config: JsonObject, allowed: AllowedNetworks) -> "ObstoreObjects":
    """Open a bucket of S3, or of a server that speaks S3, by its valid config."""
    region = config.get("region") or _DEFAULT_REGION
    endpoint = check_endpoint(config.get("base_url") or f"https://s3.{region}.amazonaws.com", allowed)
    keys = {name: config.get(name) for name in ("access_key_id", "secret_access_key")}
    own: Any = {**keys, "token": config.get("session_token"), "expires_at": None}
    store = S3Store(
        config["bucket"],
        # Each is given: what is missing here would be taken from the environment of this process.
        config={
            "region": region,
            "endpoint": endpoint.url,
            "aws_endpoint_url_s3": endpoint.url,
            "virtual_hosted_style_request": False,
            "skip_signature": False,
        },
        client_options=_build_client_options(endpoint),
        retry_config=_RETRIES,
        # None: the machine's own, where the operator allows these.
        credential_provider=(lambda: own) if keys["access_key_id"] else None,
    )
    return ObstoreObjects(store)


def open_azure(config: JsonObject, allowed: AllowedNetworks) -> "ObstoreObjects":
    """Open a container of Azure by its valid config."""
    account = config["account_name"]
    endpoint = check_endpoint(config.get("base_url") or f"https://{account}.blob.core.windows.net", allowed)
    own: Any = None
    if key := config.get("account_key"):
        own = {"access_key": key, "expires_at": None}
    elif token := config.get("sas_token"):
        own = {"sas_token": token.removeprefix("?"), "expires_at": None}
    store = AzureStore(
        config["container"],
        config={
            "account_name": account,
            "endpoint": endpoint.url,
            "use_emulator": False,
            "use_fabric_endpoint": False,
            "skip_signature": False,
        },
        client_options=_build_client_options(endpoint),
        retry_config=_RETRIES,
        credential_provider=None if own is None else lambda: own,
    )
    return ObstoreObjects(store)


def _build_client_options(endpoint: Endpoint) -> Any:
    # Without allow_http a redirect to http is refused too.
    return {
        "allow_http": endpoint.is_plain,
        "allow_invalid_certificates": False,
        "timeout": _REQUEST,
        "connect_timeout": _CONNECT,
    }


class ObstoreObjects:
    """The objects of one bucket or container."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def put(self, name: str, content: bytes) -> None:
        """Store an object by a single request, or in parts where it is large."""
        with _explain():
            obstore.put(self._store, name, content)

    def create(self, name: str, content: bytes) -> bool:
        """Store an object where there is none."""
        with _explain():
            try:
                obstore.put(self._store, name, content, mode="create", use_multipart=False)
            except (AlreadyExistsError, PreconditionError):
                return False
        return True

    def get(self, name: str) -> bytes | None:
        """Read an object whole: not every server knows ranges."""
        with _explain():
            try:
                return bytes(obstore.get(self._store, name).bytes())
            except FileNotFoundError as error:
                if faults.find_in_text(str(error)) is faults.NO_BUCKET:
                    raise
                return None

    def list(self, folder: str) -> Iterator[StoredObject]:
        """List page by page."""
        with _explain():
            for page in obstore.list(self._store, folder or None, chunk_size=_LISTED_AT_ONCE):
                yield from (StoredObject(str(one["path"]), int(one["size"])) for one in page)

    def delete(self, names: Sequence[str]) -> None:
        """Remove objects, many by one request where the server knows that."""
        if not names:
            return
        with _explain():
            try:
                obstore.delete(self._store, list(names))
            except FileNotFoundError as error:
                if len(names) > 1:
                    for name in names:
                        self.delete([name])
                elif faults.find_in_text(str(error)) is faults.NO_BUCKET:
                    raise

    def close(self) -> None:
        """Do nothing: connections end by themselves."""


@contextmanager
def _explain() -> Iterator[None]:
    """Raise DestinationError for what obstore raises; its texts may hold signed addresses, and are not shown."""
    try:
        yield
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise faults.build_error(faults.DENIED) from error
    except (BaseError, OSError, ValueError) as error:
        # It is not found although nobody asked for an object by name: there is no bucket.
        is_lost = isinstance(error, FileNotFoundError)
        meaning = faults.NO_BUCKET if is_lost else faults.find_in_text(str(error))
        raise faults.build_error(meaning) from error
