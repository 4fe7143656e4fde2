"""Search all that Ferryman has written, and all that its API shows to anybody, for secrets."""

import base64
import http.client
import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import product
from urllib.parse import quote, urlencode

import redis
from sqlalchemy import text

from app.engine.json_types import JSON
from app.sources.exchange import written_texts
from app.stack.stack import Stack
from app.store.db.database import connect

# Whole tables as text; what is bytes is shown in hex, and searched once more as it is.
_TABLES = "select table_name from information_schema.tables where table_schema = 'public'"
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{24,}={0,2}")
_MOST_IDS = 2


def found_in(place: str, content: bytes, secrets: Mapping[str, str]) -> list[str]:
    """Name the secrets that stand in some bytes, as they are, in escapes or in base64."""
    texts = [content, *(_decoded(match) for match in _BASE64.findall(content))]
    read = written_texts.fold(written_texts.unescape("\n".join(one.decode("utf-8", "replace") for one in texts)))
    return [f"{kind} in {place}" for kind, secret in secrets.items() if written_texts.fold(secret) in read]


def _decoded(match: bytes) -> bytes:
    try:
        return base64.b64decode(match + b"=" * (-len(match) % 4), altchars=b"-_" if b"_" in match else None)
    except ValueError:
        return b""


@contextmanager
def broker_traffic(stack: Stack) -> Iterator[list[bytes]]:
    """Gather every command that anybody sends to Redis meanwhile: messages, events for Flower, budgets."""
    path = stack.broker_url.partition("://")[2].partition("?")[0]
    client = redis.Redis(unix_socket_path=path)
    seen: list[bytes] = []
    stop = threading.Event()

    def listen() -> None:
        with client.monitor() as monitor:
            while not stop.is_set():
                seen.append(monitor.connection.read_response())

    client.config_set("save", "")
    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    yield seen
    stop.set()
    client.ping()
    thread.join(timeout=5)
    client.close()


def the_database(url: str) -> Iterator[tuple[str, bytes]]:
    engine = connect(url, pool_size=1)
    with engine.connect() as connection:
        for table in connection.execute(text(_TABLES)).scalars().all():
            for row in connection.execute(text(f'select * from "{table}"')).mappings():
                for column, value in row.items():
                    shown = bytes(value) if isinstance(value, bytes | memoryview) else json.dumps(value, default=str)
                    yield f"{table}.{column}", shown if isinstance(shown, bytes) else shown.encode()
    engine.dispose()


@dataclass
class Reader:
    """Reads by ``GET`` everything that the API's document tells of."""

    document: JSON
    names: Mapping[str, Sequence[str]]
    """What parameters of paths and queries may be, beside ids."""
    ids: dict[str, list[str]] = field(default_factory=dict)
    """By collection, from what was read so far."""

    def read(self, role: str, api_url: str, token: str) -> Iterator[tuple[str, bytes]]:
        """Read all that a token of a role may, and every refusal of the rest."""
        with closing(http.client.HTTPConnection(api_url.partition("://")[2])) as connection:
            for path in sorted(self.document["paths"], key=len):
                operation = self.document["paths"][path].get("get")
                for address, query in self._calls(path, operation) if operation else ():
                    target = f"{address}?{urlencode(query)}"
                    connection.request("GET", target, headers={"Authorization": f"Bearer {token}"})
                    body = connection.getresponse().read()
                    self._note_ids(path, body)
                    yield f"GET {target} as {role}", body

    def _calls(self, path: str, operation: JSON) -> Iterator[tuple[str, dict[str, JSON]]]:
        shared = [*self.document["paths"][path].get("parameters", []), *operation.get("parameters", [])]
        in_path = [one["name"] for one in shared if one["in"] == "path"]
        query = {
            one["name"]: self.names[one["name"]][0]
            for one in shared
            if one["in"] == "query" and one["name"] in self.names and (one.get("required") or "{path}" in path)
        }
        queries = [query | {"resource": one} for one in self.names["resource"]] if "resource" in query else [query]
        known = [self._known(path, name) for name in in_path]
        for values, asked in product(product(*known), queries):
            address = path
            for name, value in zip(in_path, values, strict=True):
                address = address.replace(f"{{{name}}}", quote(value))
            yield address, dict(asked)

    def _known(self, path: str, name: str) -> Sequence[str]:
        collection = path.partition("/{")[0]
        own = self.ids.get(collection, [])[:_MOST_IDS] if name == "id" else []
        return own or self.names.get(name, ["1"])

    def _note_ids(self, path: str, body: bytes) -> None:
        try:
            found = json.loads(body).get("result")
        except (ValueError, AttributeError):
            return
        if isinstance(found, list):
            self.ids.setdefault(path, [str(one["id"]) for one in found if "id" in one])
