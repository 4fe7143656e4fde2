"""How an answer is read; apart from all else, for the processes that do nothing but that."""

from enum import StrEnum


class AnswerFormat(StrEnum):
    """How an answer is read."""

    AUTO = "auto"
    """XML or NDJSON when its Content-Type says so, else JSON."""
    JSON = "json"
    XML = "xml"
    NDJSON = "ndjson"
    """One JSON text per line, each a record."""
