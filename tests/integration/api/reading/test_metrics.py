"""``/metrics``: for the operator's token alone, with the state of all environments."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine, text

from app.api.application import create_app
from app.bootstrap.api import build_api_services
from app.settings import Settings
from tests.integration.api.calling import Caller, Catalog

OPERATORS = "a-token-of-the-operator"


@pytest.fixture(scope="module")
def metered(settings: Settings) -> Iterator[FlaskClient]:
    """An application with metrics, over the database of the other tests."""
    settings = replace(settings, metrics_token=OPERATORS)
    services = build_api_services(settings)
    yield create_app(services, settings).test_client()
    services.close()


def scrape(client: FlaskClient, **headers: str) -> Any:
    return client.get("/metrics", headers={"Authorization": f"Bearer {OPERATORS}", **headers})


def samples(client: FlaskClient) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(scrape(client).text)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_without_a_token_in_the_settings_there_is_no_page(app: Flask, api: Caller) -> None:
    for path in ("/metrics", "/metrics/targets"):
        assert app.test_client().get(path, headers={"Authorization": f"Bearer {OPERATORS}"}).status_code == 404
        assert api.get(path).status == 404


@pytest.mark.parametrize("path", ["/metrics", "/metrics/targets"])
def test_another_token_is_refused(metered: FlaskClient, api: Caller, path: str) -> None:
    for header in ({}, api.headers, {"Authorization": f"Basic {OPERATORS}"}):
        answer = metered.get(path, headers=header)

        assert answer.status_code == 401
        assert OPERATORS not in answer.text


def test_runs_that_wait_are_counted(metered: FlaskClient, api: Caller, catalog: Catalog) -> None:
    before = samples(metered).get(("ferryman_runs", (("status", "created"),)), 0.0)

    api.post("/sync-job-run", catalog.run_body)

    shown = samples(metered)
    assert shown[("ferryman_runs", (("status", "created"),))] == before + 1
    assert shown[("ferryman_oldest_created_run_seconds", (("queue", "daemon-group.default"),))] >= 0
    assert shown[("ferryman_broker_reachable", ())] == 0.0


def test_requests_are_measured_by_route_and_known_method(metered: FlaskClient, api: Caller) -> None:
    metered.get("/integrated-account/none", headers=api.headers)
    metered.open("/nothing/there", method="BREW")

    shown = [dict(labels) for name, labels in samples(metered) if name == "ferryman_api_request_seconds_count"]

    assert {"method": "GET", "route": "/integrated-account/<id>", "status": "404"} in shown
    assert ("other", "none") in {(one["method"], one["route"]) for one in shown}


def test_no_id_of_a_customer_is_shown(metered: FlaskClient, api: Caller, catalog: Catalog) -> None:
    api.post("/sync-job-run", catalog.run_body)

    shown = scrape(metered).text

    assert not [part for part in (catalog.account["id"], catalog.job["id"]) if part in shown]


def test_the_format_is_the_one_that_is_asked_for(metered: FlaskClient) -> None:
    plain = scrape(metered)
    open_metrics = scrape(metered, Accept="application/openmetrics-text; version=1.0.0")

    assert plain.content_type.startswith("text/plain")
    assert open_metrics.content_type.startswith("application/openmetrics-text")
    assert open_metrics.text.endswith("# EOF\n")


@pytest.fixture
def daemons(engine: Engine) -> Iterator[None]:
    """Daemons of every environment, which the tests of others would list: they leave with the test."""
    insert = text("""
        insert into daemon (id, label, group_key, status, metadata, last_active_at)
        values (:id, :id, 'eu', 'active', cast(:metadata as jsonb), now() - make_interval(secs => :age))
    """)
    with engine.begin() as connection:
        for id, metadata, age in (
            ("m1", '{"metrics_address": "host:9100"}', 0),
            ("m2", "{}", 0),
            ("m3", '{"metrics_address": "host:9"}', 9999),
        ):
            connection.execute(insert, {"id": id, "metadata": metadata, "age": age})
    yield
    with engine.begin() as connection:
        connection.execute(text("delete from daemon where id in ('m1', 'm2', 'm3')"))


@pytest.mark.usefixtures("daemons")
def test_targets_are_those_of_daemons_that_report(metered: FlaskClient) -> None:
    answer = metered.get("/metrics/targets", headers={"Authorization": f"Bearer {OPERATORS}"})

    assert {"targets": ["host:9100"], "labels": {"group": "eu", "daemon": "m1"}} in answer.json
    assert 'host:9"' not in answer.text
