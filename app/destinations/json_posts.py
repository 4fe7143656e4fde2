"""Post JSON over HTTP to addresses that users have chosen: guarded, bounded in time, and without redirects."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

from app.engine.errors import DeliveryError
from app.engine.json_values import make_text_storable
from app.engine.limits import retry
from app.net import guarded_connections
from app.net.addresses import AllowedNetworks
from app.services.ports import Clock

_EXCERPT_BYTES = 500
# No limit: the caller limits concurrent requests, and a wait here would be a wait for other receivers.
_CONNECTIONS = 0


@dataclass(frozen=True, slots=True)
class Accepted:
    """An answer of success."""

    status: int
    excerpt: str


class JsonPosts:
    """Posts bodies; used on one event loop at a time."""

    def __init__(self, *, clock: Clock, timeout_seconds: float, allowed: AllowedNetworks) -> None:
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._allowed = allowed
        self._session: aiohttp.ClientSession | None = None
        self._generation = (0, 0)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], *, reads_answer: bool = False) -> Accepted:
        """Post a body; return the answer if it is a success, else raise DeliveryError, which never shows the address.

        The excerpt of a success is read only when ``reads_answer``.
        """
        # Without compression, so that the excerpt is limited by received bytes.
        standing = {"Content-Type": "application/json", "User-Agent": "ferryman", "Accept-Encoding": "identity"}
        try:
            async with self._open_session().post(
                url, data=body, headers={**standing, **headers}, allow_redirects=False
            ) as response:
                if 200 <= response.status < 300:
                    return Accepted(response.status, await _read_excerpt(response) if reads_answer else "")
                raise DeliveryError(
                    f"the receiver answered {response.status}: {await _read_excerpt(response)}".rstrip(": "),
                    status=response.status,
                    retry_after_seconds=retry.read_retry_after(response.headers.get("Retry-After"), self._clock.now()),
                )
        except aiohttp.InvalidURL as error:
            raise DeliveryError("the target's address is not a valid URL", code="request", is_final=True) from error
        except TimeoutError as error:
            raise DeliveryError(f"no answer within {self._timeout_seconds:.0f} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if (blocked := guarded_connections.find_block_error(error)) is not None:
                raise DeliveryError(str(blocked), code="blocked_address", is_final=True) from error
            raise DeliveryError(f"the receiver can not be reached: {type(error).__name__}") from error

    def take_session(self) -> "aiohttp.ClientSession | None":
        """Take this process's session out, to be closed on its loop; a later post opens a new one."""
        if self._session is None or self._generation[0] != os.getpid():
            return None
        session, self._session = self._session, None
        return session

    def _open_session(self) -> aiohttp.ClientSession:
        # Runs on the loop, so that no lock is needed. A session of another loop, or from before a fork, is abandoned.
        generation = (os.getpid(), id(asyncio.get_running_loop()))
        if self._session is None or self._generation != generation:
            self._session = aiohttp.ClientSession(
                connector=guarded_connections.make_connector(self._allowed, limit=_CONNECTIONS),
                timeout=aiohttp.ClientTimeout(total=self._timeout_seconds),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
            self._generation = generation
        return self._session


async def _read_excerpt(response: aiohttp.ClientResponse) -> str:
    return make_text_storable((await response.content.read(_EXCERPT_BYTES)).decode("utf-8", "replace")).strip()
