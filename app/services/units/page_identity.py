"""What the records of a unit's pages are known by, and what is odd about it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from app.engine.jobs import identity, parent_fields, scope
from app.engine.jobs.items import ResourceItem
from app.engine.json_types import JSON, JsonObject
from app.engine.record_errors import IdPathError
from app.engine.records import told_deletions
from app.engine.records.keys import BY_ID
from app.engine.records.outcomes import PageWarning
from app.engine.records.rows import RecordBatch, make_row
from app.engine.records.told_deletions import Resolved
from app.services.contexts.context import RunContext
from app.services.ports import FetchedPage


class PageIdentity:
    """Puts the fields of parents into records, and watches over the ids of what one write holds."""

    def __init__(self, context: RunContext, item: ResourceItem) -> None:
        self._context = context
        self._item = item
        self._origins: list[tuple[int, int]] = []
        self._elements: list[scope.Element] = []
        self._rekeying = context.rekeyings.get(item.name)
        self._given: Sequence[JSON] = ()
        self._former_ids: dict[str, None] = {}
        self.warnings: list[PageWarning] = []

    def with_parents(self, element: scope.Element, page: FetchedPage) -> tuple[FetchedPage, JsonObject]:
        """Return the page with the fields that its records have from their parents, and these fields."""
        if not self._item.included:
            return page, {}
        seen = scope.build_element_scope(self._item, self._context.plan, element, self._context.scope_of(self._item))
        values = parent_fields.read_values(self._item, element, seen)
        if not values:
            return page, values
        if self._item.is_request:
            self.warnings += parent_fields.warn_of_replaced(page.records, values)
        key = self._context.key_of(self._item)
        records = parent_fields.include_values(page.records, values, key)
        # The page's body does not tell how long the integers are that its records have got.
        return replace(page, records=records, has_short_integers=False), values

    @property
    def former_ids(self) -> Sequence[str]:
        """What the records were known by before they have got another key, those told as deleted included."""
        return list(self._former_ids)

    @property
    def is_rekeying(self) -> bool:
        """Whether the run knows its records by another key than they are held by."""
        return self._rekeying is not None

    @property
    def collision(self) -> PageWarning | None:
        """What warns of a record that takes the place of another one of the run; None where none can."""
        if not self._item.persist or not identity.may_collide(self._item, self._context.plan):
            return None
        key = self._context.key_of(self._item)
        return identity.warn_of_collisions(key, 1) if key.paths else None

    @property
    def counts_repeats(self) -> bool:
        """Whether a record that the run has written before can only have come again."""
        return not identity.is_shared(self._item, self._context.plan)

    def fault_of(self, records: Sequence[JSON]) -> IdPathError | None:
        """Return what is wrong with a list when none of its first records has the id that its method's config names.

        Of a list whose ids nobody keeps, which may be sent as it is, it is only warned.
        """
        key = self._context.key_of(self._item)
        if not records or not key.paths or identity.has_ids(records, key):
            return None
        if key.is_declared:
            return IdPathError(f"no record of the first page has an id: {identity.explain_missing_id(records[0], key)}")
        if self._context.run.webhook_id and not self._context.run.changes_only:
            self.warnings.append(identity.warn_of_missing_ids(records, key, count=len(records)))
        return None

    def note_origin(self, element: scope.Element, position: int) -> None:
        """Note for which element the records from this position on have come."""
        if self._elements and self._elements[-1] is element:
            return
        origin = next((number for number, one in enumerate(self._elements) if one is element), len(self._elements))
        self._elements.append(element)
        self._origins.append((position, origin))

    def resolved(self, records: Sequence[JSON], deleted: Sequence[tuple[int, JSON]]) -> Resolved:
        """Decide by their ids which of a write's living and deleted records count."""
        self._given = records
        if not deleted:
            return Resolved(living=records)
        key, gone = self._context.key_of(self._item), [record for _, record in deleted]
        if key.paths and (count := RecordBatch(gone, key).without_id):
            self.warnings.append(identity.warn_of_missing_ids(gone, key, count=count))
        self._note_former(gone)
        return told_deletions.resolve_deletions(records, deleted, key)

    @property
    def shows_ids(self) -> bool:
        """Whether a webhook can not read its records' ids off their field ``id``."""
        return self._context.key_of(self._item).name != BY_ID.name

    def ids(self, records: Sequence[JSON]) -> list[str] | None:
        """Return what a webhook is told of the ids of records; None where it is nothing."""
        if not self.shows_ids:
            return None
        key = self._context.key_of(self._item)
        return [make_row(record, key).remote_id for record in records]

    def batch(self, records: Sequence[JSON]) -> RecordBatch:
        """Take records that are kept, or compared, by their ids."""
        key = self._context.key_of(self._item)
        batch = RecordBatch(records, key)
        if batch.without_id and key.paths:
            self.warnings.append(identity.warn_of_missing_ids(records, key, count=batch.without_id))
        if len(self._given) > len(batch) and len(self._origins) > 1:
            # Origins are known by the places of all that came, whatever was told as deleted since.
            count = identity.count_collisions(self._given, key, self._origins)
            self.warnings += [identity.warn_of_collisions(key, count)] if count else []
        self._note_former(records)
        return batch

    def _note_former(self, records: Iterable[JSON]) -> None:
        if self._rekeying is not None:
            former = (make_row(record, key).remote_id for record in records for key in self._rekeying.former)
            self._former_ids.update(dict.fromkeys(former))
