"""Records that an upstream itself marks as deleted, found by a job item's ``deleted_when``."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from app.engine.config.reader import name_type
from app.engine.json_types import JSON, JsonObject
from app.engine.jsonata.bulk import evaluate_each
from app.engine.jsonata.exact_integers import write_long_integers_as_texts
from app.engine.jsonata.expressions import Expression
from app.engine.paths import UNDEFINED
from app.engine.record_errors import DeletedWhenError, ExpressionError
from app.engine.records.keys import RecordKey
from app.engine.records.rows import RecordBatch, read_id

_MOST_SECONDS_PER_PAGE: Final = 8.0
_WORDS: Final = {"true": True, "false": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parted:
    """A page's records in two parts, and the errors of those that are in neither."""

    living: list[JSON] = field(default_factory=list)
    deleted: list[tuple[int, JSON]] = field(default_factory=list)
    """Each with the number of living records before it."""
    errors: list[DeletedWhenError] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """The records of a write that count: of several with one id, the last one."""

    living: Sequence[JSON]
    deleted: Sequence[str] = ()
    """Ids, each once."""
    superseded: int = 0
    """Records of either kind that do not count."""


def split_deleted(
    deleted_when: Expression,
    records: Sequence[JSON],
    key: RecordKey,
    *,
    has_short_integers: bool,
    monotonic: Callable[[], float],
) -> Parted:
    """Split a page's records; one for which the expression fails, or takes too long, is an error."""
    parted = Parted()
    deadline = monotonic() + _MOST_SECONDS_PER_PAGE
    answers = evaluate_each(deleted_when, _build_inputs(records, has_short_integers=has_short_integers))
    for record in records:
        try:
            if monotonic() > deadline:
                raise ExpressionError(f"the page had used up the {_MOST_SECONDS_PER_PAGE:g} s that it may take")
            is_deleted = _is_true(next(answers))
        except ExpressionError as error:
            parted.errors.append(DeletedWhenError(error.message, record_id=read_id(record, key)))
        else:
            if is_deleted:
                parted.deleted.append((len(parted.living), record))
            else:
                parted.living.append(record)
    return parted


def resolve_deletions(living: Sequence[JSON], deleted: Sequence[tuple[int, JSON]], key: RecordKey) -> Resolved:
    """Decide which records count; each deleted one has its number of living records before it."""
    if not deleted:
        return Resolved(living=living)
    given = len(living) + len(deleted)
    ids = RecordBatch((record for _, record in deleted), key).ids
    if both := set(ids) & set(RecordBatch(living, key).ids):
        last_deleted = {_read_kept_id(record, key): before for before, record in deleted}
        last_living = {_read_kept_id(record, key): position for position, record in enumerate(living)}
        gone = {known for known in both if last_deleted[known] > last_living[known]}
        ids = [known for known in ids if known not in both - gone]
        living = [record for record in living if _read_kept_id(record, key) not in gone]
    return Resolved(living=living, deleted=ids, superseded=given - len(living) - len(ids))


def _build_inputs(records: Sequence[JSON], *, has_short_integers: bool) -> list[JsonObject]:
    exact = records if has_short_integers else write_long_integers_as_texts(list(records))
    return [{"record": record, **record} if isinstance(record, dict) else {"record": record} for record in exact]


def _is_true(found: JSON | ExpressionError) -> bool:
    """Whether a result is true; raise ExpressionError for one that is neither true nor false."""
    if isinstance(found, ExpressionError):
        raise found
    if found is UNDEFINED or found is None:
        return False
    known = _WORDS.get(found.lower()) if isinstance(found, str) else found
    if isinstance(known, bool):
        return known
    raise ExpressionError(f"expected true or false, found {name_type(found)}")


def _read_kept_id(record: JSON, key: RecordKey) -> str:
    """Return a record's id as it is kept."""
    return RecordBatch([record], key).ids[0]
