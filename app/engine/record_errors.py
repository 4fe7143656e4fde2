"""The errors of one unit of work: recorded, listed at /errors, and drawn in the tree of ``errors``."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.engine.errors import FerrymanError


class RecordError(FerrymanError):
    """A part of a run failed."""

    code = "record_error"


class PlaceholderError(RecordError):
    """A placeholder does not resolve."""

    code = "placeholder"

    def __init__(self, path: str, message: str) -> None:
        self.path = path
        super().__init__(message)


class UnresolvedPlaceholderError(PlaceholderError):
    """There is no value at a placeholder's path."""


class LoopError(RecordError):
    """loop_on does not name an array."""

    code = "loop_on"


class RecursionFaultError(RecordError):
    """A recurse runs in a circle, or too deep."""

    code = "recurse"


class IdPathError(RecordError):
    """No record of a list has the id that its method's config names; each is identified by its content."""

    code = "id_path"


class TransformError(RecordError):
    """A transform does not return records."""

    code = "transform"


class ComputedQueryError(RecordError):
    """A query's expression does not return an object."""

    code = "query"


class SpoolError(RecordError):
    """A spool holds more than one batch may."""

    code = "spool"


class UnwritablePageError(RecordError):
    """Postgres refuses the content of a page."""

    code = "unwritable_page"


class ExpressionError(RecordError):
    """A JSONata expression fails for this input.

    ``reason`` is the JSONata error code where there is one; ``position`` counts the characters of the expression.
    """

    code = "expression"

    def __init__(self, message: str, *, reason: str | None = None, position: int | None = None) -> None:
        self.reason = reason
        self.position = position
        super().__init__(message)


class MappingError(RecordError):
    """A unified mapping does not fit a request or a record; ``path`` is the mapping's key."""

    code = "mapping"

    def __init__(self, path: str, message: str, *, record_id: str | None = None) -> None:
        self.path = path
        self.record_id = record_id
        super().__init__(_name_record(path, record_id, message))


class DeletedWhenError(RecordError):
    """deleted_when does not return whether a record is deleted."""

    code = "deleted_when"

    def __init__(self, message: str, *, record_id: str | None = None) -> None:
        self.record_id = record_id
        super().__init__(_name_record("deleted_when", record_id, message))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderAnswer:
    """An upstream's answer that is an error, its secrets masked."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """Those of rate limits and waits, and the request's id; names in lower case."""
    body: str = field(repr=False)


class SourceError(RecordError):
    """The upstream API did not return what was asked for.

    ``code`` says what went wrong, such as ``timeout``, ``http_500`` or ``repeated_cursor``. ``excerpt`` has at most
    500 characters of the answer's body.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int | None = None,
        retryable: bool = False,
        retry_after_seconds: float | None = None,
        excerpt: str | None = None,
        answer: ProviderAnswer | None = None,
    ) -> None:
        self.code = code
        self.answer = answer
        self.status = status
        self.retryable = retryable
        self.retry_after_seconds = retry_after_seconds
        self.excerpt = excerpt
        super().__init__(message)


class InvalidGrantError(SourceError):
    """The token endpoint no longer accepts the account's refresh token, or its client."""

    def __init__(self, word: str) -> None:
        super().__init__("needs_reauth", f"its token can not be renewed: the token endpoint answered '{word}'")


class RateLimitedError(SourceError):
    """The upstream asks to come back later; ``retry_after_seconds`` is always set."""

    def __init__(self, retry_after_seconds: float, *, status: int = 429) -> None:
        super().__init__(
            f"http_{status}",
            f"the upstream answered {status} and asks to wait {retry_after_seconds:.0f} s",
            status=status,
            retryable=True,
            retry_after_seconds=retry_after_seconds,
        )


class TransientSourceError(SourceError):
    """The upstream fails and says when to try again; ``retry_after_seconds`` is always set."""

    def __init__(self, fault: SourceError, retry_after_seconds: float) -> None:
        super().__init__(
            fault.code,
            fault.message,
            status=fault.status,
            retryable=True,
            retry_after_seconds=retry_after_seconds,
            excerpt=fault.excerpt,
            answer=fault.answer,
        )


def _name_record(key: str, record_id: str | None, message: str) -> str:
    return f"{key}: {message}" if record_id is None else f"{key} of record '{record_id}': {message}"
