"""Every error that Ferryman's own code raises.

FerrymanError
├── InvalidInputError          a caller's fault, with every failure and its path
├── NotFoundError              a thing that is not there, or belongs to another environment
├── ConflictError              a thing in a state that does not allow the call
├── PreconditionFailedError    a thing that is another by now than the caller has seen
├── IdempotencyKeyReusedError  the same key with another body
├── ExpressionSyntaxError      a text that is not JSONata, with the position of the fault
├── UncheckableError           a schema or pattern that can not be tried within its bounds
├── UnauthorizedError          no valid bearer token
├── ForbiddenError             a token whose role does not allow the call
├── TooManyRequestsError       a token or an account that has used up its requests for the moment
├── StoreUnavailableError      Postgres is away for the moment
│   ├── StoreOutdatedError     it lacks tables of this version, until somebody migrates it
│   ├── StoreReadOnlyError     it answers, and takes nothing that is written
│   └── StoreConflictError     another transaction went first, again and again
├── StoreOfLaterVersionError   its tables are those of a version that this one does not know
├── StoreRightsError           its role may not do what is asked
├── IrreversibleMigrationError a migration that only a backup undoes
├── UnreadableSecretError      a credential or secret that none of the keys at hand has sealed
├── BrokerUnavailableError     the broker is; whatever it was for waits in Postgres
├── RecordError                one unit of work could not be done; kept, listed at /errors
│   ├── PlaceholderError       a placeholder that does not resolve, or can not be cast
│   │   └── UnresolvedPlaceholderError  nothing is where it reads
│   ├── LoopError              loop_on that is not an array
│   ├── RecursionFaultError    a recurse that leads back to where it came from, or too deep
│   ├── TransformError         a transform that does not give records
│   ├── UnwritablePageError    a page that Postgres will never take, however often it is asked for
│   ├── SpoolError             a spool that gathered more than it may give on at once
│   ├── IdPathError            a list of which no record has the id that its method's config names
│   ├── ExpressionError        a JSONata expression that fails, or reaches a limit
│   ├── MappingError           a unified mapping that does not fit a request or a record
│   ├── DeletedWhenError       a deleted_when that does not tell whether a record is deleted
│   └── SourceError            the upstream API did not give what was asked
│       ├── InvalidGrantError  an account's token can not be renewed: a person has to sign in again
│       ├── RateLimitedError   the upstream asks to come back later
│       └── PassingFaultError  the upstream fails, and tells when it will do better
├── DeliveryError              a webhook receiver did not take an event
└── LeaseLostError             this worker no longer owns the unit: nothing of it may be written
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Failure:
    """One fault of an input: a dotted path (``resources.0.method``) and what was expected there."""

    path: str
    message: str
    missing_reference: bool = False
    """The path names a thing that does not exist; a body with only such faults is answered 404."""


class FerrymanError(Exception):
    """Something went wrong in Ferryman."""

    code = "internal"

    def __init__(self, message: str | None = None) -> None:
        self.message = message or (self.__doc__ or "").strip().splitlines()[0]
        super().__init__(self.message)


class InvalidInputError(FerrymanError):
    """The input is not valid."""

    code = "invalid_input"

    def __init__(self, failures: Sequence[Failure], message: str | None = None) -> None:
        self.failures = tuple(failures)
        super().__init__(message or "; ".join(f"{f.path}: {f.message}" if f.path else f.message for f in failures))


class NotFoundError(FerrymanError):
    """There is no such thing."""

    code = "not_found"

    def __init__(self, kind: str, id: str, why: str = "") -> None:
        self.kind = kind
        self.id = id
        super().__init__(f"{kind} '{id}' does not exist{': ' if why else ''}{why}")


class ConflictError(FerrymanError):
    """The thing is in a state that does not allow this."""

    code = "conflict"


class PreconditionFailedError(FerrymanError):
    """It has changed since it was read: read it again, and send the change with the ETag that it has then."""

    code = "precondition_failed"


class IdempotencyKeyReusedError(FerrymanError):
    """This Idempotency-Key was used within 24 hours with another body; use a new key for a new request."""

    code = "idempotency_key_reused"


class ExpressionSyntaxError(FerrymanError):
    """The text is not a JSONata expression."""

    code = "expression_syntax"

    def __init__(self, message: str, position: int | None = None) -> None:
        self.position = position
        super().__init__(message if position is None else f"{message} (at character {position})")


class UncheckableError(FerrymanError):
    """A value can not be checked against a schema within the bounds of time."""

    code = "uncheckable"


class UnauthorizedError(FerrymanError):
    """A valid API token is required: send 'Authorization: Bearer <token>'."""

    code = "unauthorized"


class ForbiddenError(FerrymanError):
    """The token's role does not allow this."""

    code = "forbidden"


class TooManyRequestsError(FerrymanError):
    """The requests of a token, or to an account, are used up; ``retry_after_seconds`` tells when there are new ones."""

    code = "too_many_requests"

    def __init__(
        self, *, limit: int, window_seconds: float, retry_after_seconds: int, whose: str = "this token"
    ) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(
            f"{whose} has used up its {limit} requests per {window_seconds:g} s: try again in {retry_after_seconds} s"
        )


class StoreUnavailableError(FerrymanError):
    """The database can not be reached at the moment; try again."""

    code = "store_unavailable"


class StoreReadOnlyError(StoreUnavailableError):
    """The database is read-only at the moment; try again."""


class StoreConflictError(StoreUnavailableError):
    """Others are changing the same rows at the moment; try again."""


class StoreOutdatedError(StoreUnavailableError):
    """The database lacks what this version of Ferryman keeps there: run 'ferryman migrate'."""

    code = "store_outdated"


class StoreOfLaterVersionError(FerrymanError):
    """The database was migrated by a later version of Ferryman."""

    code = "store_of_later_version"


class StoreRightsError(FerrymanError):
    """The database's role lacks a right that is needed."""

    code = "store_rights"


class IrreversibleMigrationError(FerrymanError):
    """The migration can not be undone: restore a backup."""

    code = "irreversible_migration"


class UnreadableSecretError(FerrymanError):
    """A stored secret can not be decrypted: FERRYMAN_ENCRYPTION_KEY lacks the key that it was encrypted with."""

    code = "unreadable_secret"


class BrokerUnavailableError(FerrymanError):
    """The broker can not be reached at the moment."""

    code = "broker_unavailable"


class RecordError(FerrymanError):
    """A part of a run could not be done."""

    code = "record_error"


class PlaceholderError(RecordError):
    """A placeholder does not resolve."""

    code = "placeholder"

    def __init__(self, path: str, message: str) -> None:
        self.path = path
        super().__init__(message)


class UnresolvedPlaceholderError(PlaceholderError):
    """Nothing is where a placeholder reads."""


class LoopError(RecordError):
    """loop_on does not name an array."""

    code = "loop_on"


class RecursionFaultError(RecordError):
    """A recurse leads back to where it came from, or too deep."""

    code = "recurse"


class IdPathError(RecordError):
    """No record of a list has the id that its method's config names; its records are kept by their content."""

    code = "id_path"


class TransformError(RecordError):
    """A transform does not give records."""

    code = "transform"


class ComputedQueryError(RecordError):
    """A query's expression gives no object."""

    code = "query"


class SpoolError(RecordError):
    """A spool has gathered more than it may give on at once."""

    code = "spool"


class UnwritablePageError(RecordError):
    """Postgres refuses a page for what it holds."""

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
        of_record = f" of record '{record_id}'" if record_id is not None else ""
        super().__init__(f"{path}{of_record}: {message}")


class DeletedWhenError(RecordError):
    """deleted_when does not tell whether a record is deleted."""

    code = "deleted_when"

    def __init__(self, message: str, *, record_id: str | None = None) -> None:
        self.record_id = record_id
        of_record = f" of record '{record_id}'" if record_id is not None else ""
        super().__init__(f"deleted_when{of_record}: {message}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderAnswer:
    """What an upstream answered instead of what was asked, its secrets masked."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """Only those that tell of limits, waits and the request's id; names in lower case."""
    body: str = field(repr=False)


class SourceError(RecordError):
    """The upstream API did not give what was asked.

    ``code`` is one of: blocked_address, host_not_allowed, origin_changed, needs_reauth, token_endpoint, connect,
    timeout, http_<status>, not_json, not_xml, empty_body, no_records, repeated_cursor, repeated_page, too_large,
    too_slow_to_read, request. ``excerpt`` holds at most 500 characters of the answer, never headers.
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
    """The token endpoint takes neither the account's refresh token nor its client any more."""

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


class PassingFaultError(SourceError):
    """The upstream fails and tells for how long; ``retry_after_seconds`` is always set."""

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


class DeliveryError(FerrymanError):
    """A webhook receiver did not take an event."""

    code = "delivery"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        retry_after_seconds: float | None = None,
        is_final: bool = False,
    ) -> None:
        """``is_final`` claims that to send it again can not help."""
        self.code = code or self.code
        self.status = status
        self.retry_after_seconds = retry_after_seconds
        self.is_final = is_final
        super().__init__(message)


class LeaseLostError(FerrymanError):
    """The lease on this unit of work was lost to another worker, or the run was stopped."""

    code = "lease_lost"
