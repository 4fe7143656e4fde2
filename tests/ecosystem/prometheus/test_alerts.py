"""The metrics and the alert rules by Prometheus' own tool: each alert is raised by what a real API and daemon show."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from app.store.db.database import connect
from tests.support.debian import need
from tests.support.served_api import ServedApi, served_api
from tests.support.servers import PostgresServer

DEPLOY = Path(__file__).parents[3] / "deploy"
TOKEN = "a-token-of-the-operator"


@pytest.fixture(scope="module")
def promtool() -> str:
    program = shutil.which("promtool")
    need(program, package="prometheus")
    return str(program)


@pytest.fixture(scope="module")
def api(postgres_server: PostgresServer) -> Iterator[ServedApi]:
    with served_api(postgres_server, metrics_token=TOKEN) as served:
        yield served


def scrape(api: ServedApi) -> str:
    import urllib.request

    request = urllib.request.Request(f"{api.url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return response.read().decode()


def raised(promtool: str, folder: Path, scraped: str, alert: str, *, is_up: bool = True) -> bool:
    """Whether the rules raise an alert once what was scraped has lasted for half an hour."""
    lines = [line for line in scraped.splitlines() if line and not line.startswith("#")]
    series = [{"series": line.rpartition(" ")[0], "values": f"{line.rpartition(' ')[2]}x60"} for line in lines]
    series.append({"series": 'up{job="ferryman-api"}', "values": f"{int(is_up)}x60"})
    expected = {
        "eval_time": "30m",
        "alertname": alert,
        "exp_alerts": [],
    }
    test = {"rule_files": [str(DEPLOY / "prometheus/alerts.yml")], "evaluation_interval": "1m"}
    test["tests"] = [{"interval": "1m", "input_series": series, "alert_rule_test": [expected]}]
    # JSON is YAML.
    (folder / "test.yml").write_text(json.dumps(test))
    ended = subprocess.run(
        [promtool, "test", "rules", str(folder / "test.yml")], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode in (0, 1), ended.stderr
    return ended.returncode == 1


def test_the_rules_are_valid(promtool: str) -> None:
    subprocess.run([promtool, "check", "rules", str(DEPLOY / "prometheus/alerts.yml")], check=True)


def test_what_is_served_is_clean(promtool: str, api: ServedApi) -> None:
    ended = subprocess.run(
        [promtool, "check", "metrics"], input=scrape(api), capture_output=True, text=True, timeout=60, check=False
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


# What brings each alert about, as SQL: the state of an installation in which it is due.
CAUSES = {
    "FerrymanAccountsNeedReauth": "update integrated_account set status = 'needs_reauth'",
    "FerrymanWebhookDisabled": "update webhook set disabled_reason = 'its receiver failed'",
}


@pytest.mark.parametrize("alert", CAUSES)
def test_an_alert_is_raised_by_its_cause_alone(promtool: str, api: ServedApi, tmp_path: Path, alert: str) -> None:
    assert not raised(promtool, tmp_path, scrape(api), alert)

    engine = connect(api.database_url, pool_size=1)
    with engine.begin() as connection:
        connection.execute(text(CAUSES[alert]))
    engine.dispose()

    assert raised(promtool, tmp_path, scrape(api), alert)
