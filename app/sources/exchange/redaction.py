"""Mask an account's secrets in what people see: errors, their excerpts, and URLs.

A text is searched as it is, and again after each layer of escapes is removed, so that a secret is found however it is
escaped. The cost is linear in the text, whatever the secrets are.
"""

import functools
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final

from app.engine.json_types import JSON
from app.sources.exchange import written_texts
from app.sources.exchange.written_texts import Span

MASK: Final = "***"
# A shorter text is no secret, and masking every "en" or "v2" would make errors unreadable.
SHORTEST: Final = 4
_SHORTEST_NUMBER: Final = 8
"""Of digits: a shorter number is a year, a status or a count."""
_BLOCK: Final = 32
"""A longer secret is compared block by block, and masked as far as its blocks match."""
_MOST_SECRETS: Final = 5000
_MOST_CHARACTERS: Final = 256 * 1024
"""Of all secrets together; with more, every text is masked completely, since indexing them would take too long."""
_LONGEST_NORMALISED: Final = 256
"""Many marks on one letter take square time; a longer secret is not normalised."""
_MOST_HEADS: Final = 100
"""A pattern of more heads looks for their first characters."""
_NOTHING: Final = re.compile(r"(?!)")
_WITHOUT_PADDING: Final = str.maketrans("+/", "-_", "=")


def collect_secrets(*values: JSON) -> frozenset[str]:
    """Collect every text and long number within some JSON values."""
    return frozenset(text for value in values for text in _list_texts(value) if len(text) >= SHORTEST)


def mask_secrets(text: str, secrets: Iterable[str]) -> str:
    """Mask secrets within a text, also where they are written as escapes, in several layers."""
    known = _index_secrets(secrets if isinstance(secrets, frozenset) else frozenset(secrets))
    if known is None:
        return MASK
    spans = [
        written.origin(start, end)
        for written in written_texts.list_layers(text)
        for start, end in known.find(written.text)
    ]
    return _mask_spans(text, spans) if spans else text


class _Secrets:
    """Secrets as chains of blocks; the first block is found by its head."""

    __slots__ = ("_following", "_head", "_lengths")

    def __init__(self) -> None:
        self._lengths: dict[str, tuple[int, ...]] = {}
        """By the head, how long the blocks are that begin so; the longest first."""
        self._following: dict[str, _Secrets] = {}
        self._head = _NOTHING

    @classmethod
    def of(cls, texts: Iterable[str]) -> "_Secrets":
        """Index texts that have at least the length of the shortest secret."""
        known = cls()
        for text in texts:
            known._add(text)
        heads = [re.escape(head) for head in sorted(known._lengths)]
        if len(heads) > _MOST_HEADS:
            heads = [f"[{''.join(re.escape(first) for first in sorted({head[0] for head in known._lengths}))}]"]
        known._head = re.compile("|".join(heads)) if heads else _NOTHING
        return known

    def find(self, text: str) -> Iterator[Span]:
        """Yield where secrets stand in a text, of those that overlap the first."""
        text, at = written_texts.fold(text), 0
        while (found := self._head.search(text, at)) is not None:
            start = found.start()
            at = self._end(text, start, self._lengths.get(text[start : start + SHORTEST], ()))
            if at > start:
                yield start, at
            else:
                at += 1

    def _end(self, text: str, at: int, lengths: tuple[int, ...]) -> int:
        """Return where a secret ends that begins here, or else the place itself."""
        known: _Secrets | None = self
        while known is not None:
            blocks = ((length, known._following.get(text[at : at + length])) for length in lengths)
            length, known = next((block for block in blocks if block[1] is not None), (0, None))
            at += length
            lengths = () if known is None else known._lengths.get("", ())
        return at

    def _add(self, text: str) -> None:
        known, head = self, SHORTEST
        for start in range(0, len(text), _BLOCK):
            block = text[start : start + _BLOCK]
            lengths = known._lengths.get(block[:head], ())
            if len(block) not in lengths:
                known._lengths[block[:head]] = tuple(sorted((*lengths, len(block)), reverse=True))
            known, head = known._following.setdefault(block, _Secrets()), 0


@functools.lru_cache(maxsize=64)
def _index_secrets(secrets: frozenset[str]) -> _Secrets | None:
    """Index secrets; None where they are too many."""
    if len(secrets) > _MOST_SECRETS or sum(map(len, secrets)) > _MOST_CHARACTERS:
        return None
    forms = (written_texts.fold(form) for secret in secrets for form in _list_forms(secret))
    return _Secrets.of(form for form in forms if len(form) >= SHORTEST)


def _list_forms(secret: str) -> set[str]:
    """Return the forms of a secret after escapes are removed, also those within itself."""
    forms = {secret, written_texts.unescape(secret)}
    if not secret.isascii() and len(secret) <= _LONGEST_NORMALISED:
        forms |= {unicodedata.normalize(form, text) for form in ("NFC", "NFD") for text in forms}
        # UTF-8 that was read as one byte per character, as many servers do with headers.
        forms |= {_misread_bytes(text, charset) for charset in ("latin-1", "cp1252") for text in forms}
    if secret.endswith("="):
        # Base64 is also written without its padding, and for addresses.
        forms |= {secret.rstrip("="), secret.translate(_WITHOUT_PADDING)}
    return forms


def _misread_bytes(text: str, charset: str) -> str:
    return text.encode(errors="replace").decode(charset, "replace")


def _mask_spans(text: str, spans: list[Span]) -> str:
    pieces, end = [], 0
    for start, stop in sorted(spans):
        if start >= end:
            pieces += [text[end:start], MASK]
        end = max(end, stop)
    return "".join(pieces) + text[end:]


def _list_texts(value: JSON) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for item in value.values():
                yield from _list_texts(item)
        case list():
            for item in value:
                yield from _list_texts(item)
        case bool() | None:
            return
        case _ if len(text := str(value)) >= _SHORTEST_NUMBER:
            yield text
