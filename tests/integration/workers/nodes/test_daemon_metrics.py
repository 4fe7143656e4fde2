"""What an API by gunicorn and two daemons show to Prometheus, each on a port of its own."""

import json
import urllib.request
from collections.abc import Sequence
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.support.patience import wait_for
from tests.support.small_ferryman import METRICS_TOKEN
from tests.support.upstream import Upstream, numbered
from tests.support.workspace import Workspace, listed


def read(url: str) -> str:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {METRICS_TOKEN}"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return str(response.read().decode())


def scrape(url: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(read(f"{url}/metrics"))
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def add_up(addresses: Sequence[str], name: str, **labels: str) -> float:
    key = (name, frozenset(labels.items()))
    return sum(scrape(f"http://{address}").get(key, 0.0) for address in addresses)


def list_addresses(api_url: str) -> list[str]:
    found: list[dict[str, Any]] = json.loads(read(f"{api_url}/metrics/targets"))
    return [address for target in found for address in target["targets"]]


def test_a_run_is_counted_where_it_ran(api_url: str, node_workspace: Workspace, upstream: Upstream) -> None:
    upstream.lists("/users", numbered("user", 25), page_size=10)
    sync = node_workspace.sync(upstream.url, [listed("users")])
    addresses = wait_for(lambda: found if len(found := list_addresses(api_url)) == 2 else None)
    ended = add_up(addresses, "ferryman_runs_ended_total", status="completed", error_code="")
    begun = add_up(addresses, "ferryman_run_start_delay_seconds_count")

    run = sync.run()

    assert run["status"] == "completed"
    assert len(set(addresses)) == 2
    wait_for(lambda: add_up(addresses, "ferryman_runs_ended_total", status="completed", error_code="") == ended + 1)
    integration = sync.api.get(f"/integrated-account/{sync.account_id}")["integration_name"]
    assert add_up(addresses, "ferryman_records_fetched_total", integration=integration) == 25
    assert add_up(addresses, "ferryman_upstream_requests_total", integration=integration, status="200") == 3
    assert add_up(addresses, "ferryman_run_start_delay_seconds_count") == begun + 1


def test_one_daemon_leads(api_url: str, node_workspace: Workspace) -> None:
    addresses = wait_for(lambda: found if len(found := list_addresses(api_url)) == 2 else None)

    wait_for(lambda: add_up(addresses, "ferryman_leader") == 1)


def test_the_api_counts_over_its_processes(api_url: str, node_workspace: Workspace) -> None:
    node_workspace.api.get("/daemon")

    shown = scrape(api_url)

    answered = frozenset({"method": "GET", "route": "/daemon", "status": "200"}.items())
    assert shown[("ferryman_api_request_seconds_count", answered)] >= 1
    assert shown[("ferryman_daemons", frozenset({("group", "default")}))] == 2
    assert shown[("ferryman_broker_reachable", frozenset())] == 1
