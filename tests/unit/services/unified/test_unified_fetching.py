"""A slice over a unified API: mapped requests, mapped records, mapped errors."""

from app.engine.record_errors import ProviderAnswer, SourceError
from app.services.unified.mappings import MappingLayers
from tests.unit.services.service_fakes import page
from tests.unit.services.service_setting import Setting, setting

ITEM = {"resource": "crm/contacts", "method": "list", "query": {"after": "2024"}}
CONFIG = {
    "resource": "people",
    "query_mapping": "{'since': query.after}",
    "response_mapping": "response.{'id': $string(id), 'name': $uppercase(name)}",
    "error_mapping": "response.why",
}


def unified_run() -> Setting:
    made = setting([ITEM])
    layers = MappingLayers(resources={"contacts": {}}, base=CONFIG, environment=None)
    made.mappings.configured = {"crm/contacts": {"list": layers}}
    made.add_unit(resource="crm/contacts")
    return made


def test_records_are_mapped_and_those_that_can_not_be_are_quarantined() -> None:
    here = unified_run()
    here.source.script(page({"id": 1, "name": "ada"}, {"id": 2, "name": 5}, {"id": 3}))

    here.fetch()

    (write,) = here.pages.writes
    assert (here.source.calls[0].resource, here.source.calls[0].query) == ("people", {"since": "2024"})
    assert here.pages.record_ids == ["1", "3"]
    assert (write.counters.fetched, write.counters.quarantined, write.counters.errors) == (3, 1, 1)
    assert [(error.code, error.details["record_id"]) for error in write.errors] == [("mapping", "2")]


def test_a_page_that_holds_only_what_can_not_be_mapped_is_progress() -> None:
    here = unified_run()
    here.source.script(page({"id": 1, "name": 5}, cursor={"page": 2}), page())

    here.fetch()

    assert [write.has_progress for write in here.pages.writes] == [True, True]


def test_an_error_of_the_upstream_is_told_in_the_mappings_words() -> None:
    here = unified_run()
    answer = ProviderAnswer(status=400, headers={}, body='{"why": "no such filter"}')
    here.source.script(SourceError("http_400", "was answered 400", status=400, answer=answer))

    here.fetch()

    assert [error.message for error in here.pages.writes[0].errors] == ["no such filter"]
