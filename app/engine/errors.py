"""The errors that Ferryman's layers share; those of one unit of work are in ``record_errors``.

FerrymanError
├── InvalidInputError          the caller's input is not valid; lists every failure with its path
├── NotFoundError              the thing does not exist, or belongs to another environment
├── ConflictError              the thing is in a state that does not allow the call
├── PreconditionFailedError    the thing has changed since the caller read it
├── IdempotencyKeyReusedError  the same key with another body
├── ExpressionSyntaxError      a text that is not JSONata, with the position of the error
├── UncheckableError           a schema or pattern that can not be checked within its limits
├── UnauthorizedError          no valid bearer token
├── ForbiddenError             the token's role does not allow the call
├── TooManyRequestsError       a token or an account has used up its requests for the moment
├── StoreUnavailableError      Postgres can not be used at the moment
│   ├── StoreReadOnlyError     it is read-only
│   ├── StoreFullError         it has no connection left
│   ├── StoreConflictError     other transactions win every retry
│   └── StoreOutdatedError     it has to be migrated to this version
├── StoreOfLaterVersionError   a later version of Ferryman has migrated the database
├── StoreRightsError           the database's role lacks a right
├── IrreversibleMigrationError a migration that only a backup undoes
├── UnreadableSecretError      none of the configured keys decrypts a stored secret
├── MissingExtraError          what was asked for needs packages that are not installed
├── BrokerUnavailableError     the broker can not be reached; what it was for waits in Postgres
├── RecordError                one unit of work failed; recorded, and listed at /errors
│   ├── PlaceholderError       a placeholder that does not resolve, or can not be cast
│   │   └── UnresolvedPlaceholderError  there is no value at its path
│   ├── LoopError              loop_on does not name an array
│   ├── RecursionFaultError    a recurse that runs in a circle, or too deep
│   ├── IdPathError            no record of a list has the id that its method's config names
│   ├── TransformError         a transform does not return records
│   ├── ComputedQueryError     a query's expression does not return an object
│   ├── SpoolError             a spool holds more than one batch may
│   ├── UnwritablePageError    Postgres refuses the content of a page
│   ├── ExpressionError        a JSONata expression fails, or reaches a limit
│   ├── MappingError           a unified mapping does not fit a request or a record
│   ├── DeletedWhenError       deleted_when does not return whether a record is deleted
│   └── SourceError            the upstream API did not return what was asked for
│       ├── InvalidGrantError  an account's token can not be renewed: a person has to sign in again
│       ├── RateLimitedError   the upstream asks to come back later
│       └── TransientSourceError  the upstream fails, and says when to try again
├── DeliveryError              a webhook receiver did not accept an event
├── DestinationError           a destination's datastore can not be written to, or read
└── LeaseLostError             this worker no longer owns the unit: its writes are refused
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Failure:
    """One error of an input: a dotted path (``resources.0.method``) and what was expected there."""

    path: str
    message: str
    missing_reference: bool = False
    """The path names a thing that does not exist; a body with no other failures is answered 404."""


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
    """A value can not be checked against a schema within the limits of time."""

    code = "uncheckable"


class UnauthorizedError(FerrymanError):
    """A valid API token is required: send 'Authorization: Bearer <token>'."""

    code = "unauthorized"


class ForbiddenError(FerrymanError):
    """The token's role does not allow this."""

    code = "forbidden"


class TooManyRequestsError(FerrymanError):
    """The requests of a token, or to an account, are used up until ``retry_after_seconds`` have passed."""

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


class StoreFullError(StoreUnavailableError):
    """Postgres has no connection left: all that max_connections or a role's limit allows are taken."""


class StoreReadOnlyError(StoreUnavailableError):
    """The database is read-only at the moment; try again."""


class StoreConflictError(StoreUnavailableError):
    """Others are changing the same rows at the moment; try again."""


class StoreOutdatedError(StoreUnavailableError):
    """The database lacks tables or columns of this version of Ferryman: run 'ferryman migrate'."""

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


class MissingExtraError(FerrymanError):
    """What was asked for needs packages that are not installed."""

    code = "missing_extra"

    def __init__(self, extra: str) -> None:
        self.extra = extra
        super().__init__(f"this needs packages that are not installed here: run pip install 'ferryman[{extra}]'")


class BrokerUnavailableError(FerrymanError):
    """The broker can not be reached at the moment."""

    code = "broker_unavailable"


class DeliveryError(FerrymanError):
    """A webhook receiver did not accept an event."""

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
        """``is_final``: another attempt would fail too."""
        self.code = code or self.code
        self.status = status
        self.retry_after_seconds = retry_after_seconds
        self.is_final = is_final
        super().__init__(message)

    def reworded(self, message: str) -> "DeliveryError":
        """Return the same error in other words."""
        return DeliveryError(
            message,
            code=self.code,
            status=self.status,
            retry_after_seconds=self.retry_after_seconds,
            is_final=self.is_final,
        )


class DestinationError(FerrymanError):
    """A destination's datastore can not be written to, or read."""

    code = "destination"

    def __init__(self, message: str, *, code: str | None = None, is_final: bool = False) -> None:
        """``is_final``: another attempt would fail too, until somebody changes something."""
        self.code = code or self.code
        self.is_final = is_final
        super().__init__(message)


class LeaseLostError(FerrymanError):
    """The lease on this unit of work was lost to another worker, or the run was stopped."""

    code = "lease_lost"
