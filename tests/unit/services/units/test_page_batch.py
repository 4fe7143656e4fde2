"""Pages and errors become one write: records or events, units for children, counters."""

import json
from collections.abc import Sequence

import pytest

from app.engine.json_types import JsonObject
from app.engine.record_errors import PlaceholderError, SourceError
from app.engine.records.outcomes import Change
from app.engine.runs.books import Counters
from app.engine.runs.frontier import Frontier
from app.engine.runs.work import EventDraft
from app.engine.status import ErrorHandling, UnitStatus
from app.engine.webhooks import events
from app.services.units.page_batch import PageBatch
from tests.unit.services.service_fakes import page
from tests.unit.services.service_setting import Setting, setting
from tests.unit.services.service_tables import CONFIG, account, integration

TICKETS = {"resource": "tickets"}
COMMENTS = {"resource": "comments", "depends_on": "tickets", "query": {"ticket": "{{resources.tickets.id}}"}}
TAGS = {"resource": "tags", "depends_on": "tickets", "loop_on": "resources.tickets.tags"}
WEBHOOK = {"webhook_id": "webhook"}
DONE = Frontier(next=1)
UNDER_WAY = Frontier(next=1, open={0: {"page": 2}})
BROKE = SourceError("http_500", "broke", status=500)


def batch_of(here: Setting) -> PageBatch:
    here.add_unit()
    context = here.context()
    return PageBatch(here.claim("unit"), context, context.items["tickets"], settings=here.settings, clock=here.clock)


def payloads(drafts: Sequence[EventDraft]) -> list[JsonObject]:
    return [json.loads(draft.body)["payload"] for draft in drafts]


def test_batch_is_empty_until_a_page_or_an_error_is_in() -> None:
    batch, other = batch_of(setting()), batch_of(setting())
    was_empty = batch.is_empty

    batch.add_page({}, page())
    other.add_error({}, BROKE)

    assert was_empty
    assert not batch.is_empty
    assert not other.is_empty


def test_records_become_rows_and_the_counters_say_so() -> None:
    batch = batch_of(setting())
    batch.add_page({}, page({"id": 1}, {"id": 2}))
    batch.add_page({}, page({"id": 3}))

    write = batch.build_write(UNDER_WAY)

    assert [row.remote_id for row in write.records.rows(write.records.ids)] == ["1", "2", "3"]
    assert write.counters == Counters(pages=2, fetched=3)
    assert (write.end, write.frontier) == (None, UNDER_WAY.to_json())
    assert (write.account_id, write.resource, write.events) == ("account", "tickets", [])


def test_write_ends_the_unit_with_its_last_element() -> None:
    batch = batch_of(setting())
    batch.add_page({}, page())

    assert batch.build_write(DONE).end is UnitStatus.DONE


def test_resource_that_is_not_persisted_is_only_counted() -> None:
    batch = batch_of(setting([{**TICKETS, "persist": False}]))
    batch.add_page({}, page({"id": 1}))

    write = batch.build_write(DONE)

    assert not write.records
    assert write.counters.fetched == 1


def test_children_get_units_of_at_most_so_many_elements() -> None:
    batch = batch_of(setting([TICKETS, COMMENTS], children_per_unit=2))
    batch.add_page({}, page({"id": 1, "x": 0}, {"id": 2}, {"id": 3}))

    children = batch.build_write(DONE).children

    assert {child.resource_id for child in children} == {"id-of-comments"}
    assert [len(child.elements) for child in children] == [2, 1]
    assert children[0].elements[0] == {"parents": {"tickets": {"id": 1}}}


def test_failed_request_skips_one_request_of_each_child() -> None:
    batch = batch_of(setting([TICKETS, COMMENTS, TAGS]))
    batch.add_error({}, BROKE)
    batch.add_error({}, BROKE)

    write = batch.build_write(DONE)

    assert write.skipped == {"id-of-comments": 2, "id-of-tags": 2}
    assert write.counters == Counters(errors=2)
    assert write.children == []


def test_record_that_a_childs_loop_can_not_read_skips_that_child_alone() -> None:
    batch = batch_of(setting([TICKETS, COMMENTS, TAGS]))
    batch.add_page({}, page({"id": 1, "tags": 5}, {"id": 2, "tags": ["a", "b"]}))

    write = batch.build_write(DONE)

    elements = {child.resource_id: len(child.elements) for child in write.children}
    assert elements == {"id-of-comments": 2, "id-of-tags": 2}
    assert (write.skipped, write.child_errors) == ({"id-of-tags": 1}, {"id-of-tags": 1})
    assert write.counters.errors == 0
    assert [(error.resource, error.code) for error in write.errors] == [("tags", "loop_on")]


def test_error_tells_where_it_happened() -> None:
    batch = batch_of(setting())
    element = {"parents": {"users": {"id": 1}}, "loop": None}
    batch.add_error(element, PlaceholderError("args.x", "nothing is there"))
    batch.add_error({}, SourceError("connect", "no route"))

    first, second = batch.errors

    assert first.details == {"path": "args.x", "parents": {"users": {"id": 1}}}
    assert second.details == {}
    assert (second.resource, second.method, second.message) == ("tickets", "list", "no route")


@pytest.mark.parametrize(
    ("loop_on", "shown"),
    [
        ("args.sites", {"name": "eu"}),
        ("context.sites", {"name": "********"}),
        ("context.plain.sites", {"name": "eu"}),
    ],
)
def test_error_shows_the_value_of_a_loop_unless_it_is_a_secret_of_the_account(loop_on: str, shown: JsonObject) -> None:
    sites = [{"name": "eu"}]
    here = setting([{**TICKETS, "loop_on": loop_on}])
    here.accounts.rows["account"] = account(
        context={"sites": sites, "plain": {"sites": sites}},
        plain_paths=frozenset({("plain",)}),
    )
    here.integrations.rows["integration"] = integration(config={**CONFIG, "non_secret": ["context.plain"]})
    batch = batch_of(here)

    batch.add_error({"loop": sites[0]}, SourceError("http_404", "no"))

    (error,) = batch.errors
    assert error.details["loop"] == shown


def test_webhook_run_puts_its_records_into_events_of_a_bounded_size() -> None:
    batch = batch_of(setting(run_fields=WEBHOOK, delivery_batch_bytes=20))
    batch.add_page({}, page({"id": 1}, {"id": 2}, {"id": 3}))

    write = batch.build_write(DONE)

    assert not write.records
    assert [(draft.event, draft.records) for draft in write.events] == [(events.RECORD, 2), (events.RECORD, 1)]
    assert {draft.resource_id for draft in write.events} == {"id-of-tickets"}
    assert payloads(write.events)[1]["records"] == [{"id": 3}]
    assert write.counters == Counters(pages=1, fetched=3, queued=3)


def test_webhook_run_sends_one_event_for_each_error() -> None:
    batch = batch_of(setting(run_fields=WEBHOOK))
    batch.add_error({}, BROKE)
    batch.add_error({}, BROKE)

    drafts = batch.build_write(DONE).events

    assert [draft.event for draft in drafts] == [events.RECORD_ERROR] * 2
    assert payloads(drafts)[0]["error"] == {"error": "http_500", "message": "broke", "status": 500}


def test_webhook_run_in_batch_mode_sends_one_event_for_the_errors_of_a_write() -> None:
    batch = batch_of(setting(run_fields={**WEBHOOK, "error_handling": ErrorHandling.BATCH}))
    batch.add_error({}, BROKE)
    batch.add_error({}, BROKE)

    (payload,) = payloads(batch.build_write(DONE).events)

    assert [error["error"] for error in payload["errors"]] == ["http_500", "http_500"]


def test_errors_of_a_batch_travel_apart_by_resource() -> None:
    run_fields = {**WEBHOOK, "error_handling": ErrorHandling.BATCH}
    batch = batch_of(setting([TICKETS, TAGS], run_fields=run_fields))
    batch.add_page({}, page({"tags": 5}))
    batch.add_error({}, BROKE)
    batch.add_page({}, page({"tags": 6}))

    sent = payloads(batch.build_write(DONE).events)[1:]

    told = {payload["resource"]: [error["error"] for error in payload["errors"]] for payload in sent}
    assert told == {"tags": ["loop_on", "loop_on"], "tickets": ["http_500"]}


@pytest.mark.parametrize("run_fields", [{}, WEBHOOK], ids=["daemon run", "webhook run"])
def test_empty_page_makes_neither_rows_nor_events(run_fields: JsonObject) -> None:
    batch = batch_of(setting(run_fields=run_fields))
    batch.add_page({}, page())

    write = batch.build_write(DONE)

    assert (len(write.records), write.events) == (0, [])


def test_webhook_that_is_told_of_changes_gets_the_records_compared() -> None:
    batch = batch_of(setting(run_fields={**WEBHOOK, "changes_only": True}))
    batch.add_page({}, page({"id": 1, "n": "a"}, {"id": 2}))

    write = batch.build_write(UNDER_WAY)

    assert write.events == []
    assert write.changes is not None
    (event,) = write.changes.draft(Change.UPDATED, ["1"])
    (payload,) = payloads([event])
    assert (payload["records"], payload["meta"]) == ([{"id": 1, "n": "a"}], {"change": "updated"})
    assert (event.remote_ids, event.records, event.resource_id) == (["1"], 1, "id-of-tickets")


def test_events_that_are_not_sent_are_not_made_and_their_records_are_counted() -> None:
    run_fields = {**WEBHOOK, "events_to_send": [events.COMPLETED]}
    batch = batch_of(setting(run_fields=run_fields))
    batch.add_page({}, page({"id": 1}, {"id": 2}))
    batch.add_error({}, BROKE)

    write = batch.build_write(UNDER_WAY)

    assert write.events == []
    assert (write.counters.withheld, write.counters.queued, write.counters.errors) == (2, 0, 1)


DELETING = {**TICKETS, "deleted_when": "gone"}
GONE = {"id": 9, "gone": True}
SPOOL = {"type": "spool", "name": "all", "depends_on": "tickets", "persist": False}


def test_what_is_told_as_deleted_is_no_row_and_has_no_children() -> None:
    batch = batch_of(setting([DELETING, COMMENTS, SPOOL]))
    batch.add_page({}, page({"id": 1}, GONE))
    batch.add_page({}, page(GONE, {"id": 2}))

    write = batch.build_write(DONE)

    assert (write.records.ids, write.deleted) == (["1", "2"], ["9"])
    assert write.counters == Counters(pages=2, fetched=4, repeated=1)
    assert [len(child.elements) for child in write.children] == [2]
    assert [json.loads(batch.records) for batch in write.gathered] == [[{"id": 1}], [{"id": 2}]]


def test_a_page_of_deletions_alone_gives_transforms_nothing() -> None:
    some = {**SPOOL, "type": "transform", "name": "some", "config": {"expression": "records"}}
    batch = batch_of(setting([DELETING, some]))
    batch.add_page({}, page(GONE))

    write = batch.build_write(DONE)

    assert (write.children, write.deleted, write.has_progress) == ([], ["9"], True)


def test_deletions_of_what_is_not_kept_are_only_left_out() -> None:
    batch = batch_of(setting([{**DELETING, "persist": False}, COMMENTS]))
    batch.add_page({}, page({"id": 1}, GONE))

    write = batch.build_write(DONE)

    assert (write.deleted, len(write.records), len(write.children[0].elements)) == ((), 0, 1)


def test_record_that_does_not_say_whether_it_is_deleted_is_quarantined() -> None:
    batch = batch_of(setting([DELETING]))
    batch.add_page({}, page({"id": 1, "gone": 5}, {"id": 2}))

    write = batch.build_write(DONE)

    (error,) = write.errors
    assert (error.code, error.details) == ("deleted_when", {"record_id": "1"})
    assert write.counters == Counters(pages=1, fetched=2, quarantined=1, errors=1)
    assert (write.records.ids, write.has_gaps) == (["2"], False)


def test_webhook_is_told_of_deletions_behind_the_records() -> None:
    batch = batch_of(setting([DELETING], run_fields=WEBHOOK))
    batch.add_page({}, page(GONE, {"id": 1}))

    write = batch.build_write(DONE)

    told = [(payload["meta"], payload["records"]) for payload in payloads(write.events)]
    assert told == [({}, [{"id": 1}]), ({"change": "deleted"}, [{"id": "9"}])]
    assert [draft.remote_ids for draft in write.events] == [None, None]
    assert write.counters == Counters(pages=1, fetched=2, queued=2, deleted=1, tombstones=1)
    assert write.deleted == ()


def test_webhook_that_is_told_of_changes_gets_deletions_compared() -> None:
    batch = batch_of(setting([DELETING], run_fields={**WEBHOOK, "changes_only": True}))
    batch.add_page({}, page(GONE))

    write = batch.build_write(DONE)

    assert write.changes is not None
    assert (write.changes.deleted, write.changes.records.ids, write.events) == (["9"], [], [])
    (event,) = write.changes.draft(Change.DELETED, ["9"])
    assert (payloads([event])[0]["records"], event.remote_ids) == ([{"id": "9"}], ["9"])


def test_deletions_that_are_not_sent_are_withheld() -> None:
    batch = batch_of(setting([DELETING], run_fields={**WEBHOOK, "events_to_send": []}))
    batch.add_page({}, page(GONE))

    write = batch.build_write(DONE)

    assert (write.counters, write.events) == (Counters(pages=1, fetched=1, withheld=1), [])


def test_record_whose_recursion_can_not_be_read_leaves_a_gap() -> None:
    recurse = {"if": "{{resources.tickets.more:bool}}", "config": {"query": {"of": "{{resources.tickets.id}}"}}}
    batch = batch_of(setting([{**TICKETS, "recurse": recurse}]))
    batch.add_page({}, page({"id": 1, "more": False}))
    was_whole = not batch.build_write(UNDER_WAY).has_gaps
    batch.add_page({}, page({"id": 2}))

    assert (was_whole, batch.build_write(UNDER_WAY).has_gaps) == (True, True)
