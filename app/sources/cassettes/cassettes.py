"""Cassettes: what a run and its upstream said to each other, kept in a HAR file and played back without a network."""

import json
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Final, TextIO

from app.engine.errors import FerrymanError
from app.engine.json_types import JSON, JsonObject
from app.engine.record_errors import SourceError
from app.sources.cassettes import har
from app.sources.cassettes.secret_labels import SecretLabels, formless
from app.sources.exchange.exchange import HttpRequest, HttpResponse
from app.sources.sending import Attempt

FORMAT: Final = 1
"""The version of what Ferryman adds to HAR, under ``log._ferryman``."""

_RATE_LIMITED: Final = 429

Key = tuple[str, str, str]
"""Method, URL and body, secrets hidden."""


class CassetteError(FerrymanError):
    """The file is no cassette."""

    code = "cassette"


class CassetteRecorder:
    """Writes every exchange between ``begin`` and ``end`` to a file, as it happens and an entry per line."""

    def __init__(self, file: TextIO) -> None:
        self.count = 0
        self._file = file
        self._lock = threading.Lock()

    def begin(self, facts: Mapping[str, JSON]) -> None:
        """Write the head; ``facts`` tell of the run what a replay needs."""
        head = {
            "version": har.VERSION,
            "creator": {"name": "ferryman", "version": str(FORMAT)},
            "_ferryman": {"version": FORMAT, **facts},
        }
        self._file.write(f'{{"log": {json.dumps(head, ensure_ascii=False)[:-1]}, "entries": [')

    def end(self) -> None:
        """Write the tail: before it the file is no JSON."""
        self._file.write("\n]}}\n")

    def around(self, live: Attempt) -> Attempt:
        """Record what ``live`` attempts, faults of the connection left out."""

        async def recorded(request: HttpRequest, timeout_seconds: float) -> HttpResponse:
            at, begun = datetime.now(UTC), monotonic()
            response = await live(request, timeout_seconds)
            labels = SecretLabels(request.context, request.secrets)
            self._write(har.entry(request, response, labels.hide, at=at, seconds=monotonic() - begun))
            return response

        return recorded

    def _write(self, entry: JsonObject) -> None:
        line = json.dumps(entry, ensure_ascii=False)
        with self._lock:
            self._file.write(("," if self.count else "") + "\n" + line)
            self.count += 1


class CassettePlayer:
    """Answers requests from a cassette, each in the order in which it was answered; the last answer stays."""

    def __init__(self, cassette: JsonObject) -> None:
        """Raise CassetteError unless it is one."""
        self.missing: list[str] = []
        """Requests that it has no answer to."""
        self.facts = _facts(cassette)
        self._answers: dict[Key, list[JsonObject]] = {}
        for entry in cassette["log"]["entries"]:
            request = entry["request"]
            har.response_of(entry, str)  # fails here rather than when it is asked for
            key = _key(request["method"], request["url"], (request.get("postData") or {}).get("text", ""))
            self._answers.setdefault(key, []).append(entry)
        for key, entries in self._answers.items():
            # To wait for a limit that nobody has any more would only take time.
            self._answers[key] = [one for one in entries if one["response"]["status"] != _RATE_LIMITED] or entries

    @classmethod
    def read(cls, path: Path) -> "CassettePlayer":
        """Read a cassette; raise CassetteError."""
        try:
            return cls(json.loads(path.read_text()))
        except OSError as error:
            raise CassetteError(f"can not read {path}: {error.strerror or error}") from error
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise CassetteError(f"{path} is no HAR file: {error}") from error

    def around(self, _live: Attempt) -> Attempt:
        """Answer in the place of ``_live``, which is never called."""

        async def played(request: HttpRequest, timeout_seconds: float) -> HttpResponse:
            labels = SecretLabels(request.context, request.secrets)
            key = _key(request.method.upper(), labels.hide(request.url), har.text_of(request.body, labels.hide))
            answers = self._answers.get(key)
            if answers is None:
                raise self._lacks(key)
            entry = answers.pop(0) if len(answers) > 1 else answers[0]
            return har.response_of(entry, labels.show)

        return played

    def _lacks(self, key: Key) -> SourceError:
        method, url, _ = key
        has_other_body = any((method, url) == (kept[0], kept[1]) for kept in self._answers)
        name = f"{method} {url}{' with this body' if has_other_body else ''}"
        self.missing.append(name)
        return SourceError("cassette", f"the cassette has no answer to {name}")


def _key(method: str, url: str, body: str) -> Key:
    return method, formless(url), formless(body)


def _facts(cassette: JsonObject) -> JsonObject:
    """Return what Ferryman wrote beside the entries; nothing in a HAR file of another program."""
    facts: JsonObject = cassette["log"].get("_ferryman") or {}
    if facts.get("version", FORMAT) != FORMAT:
        raise CassetteError(f"the cassette has the format {facts['version']}; this Ferryman reads {FORMAT}")
    return facts
