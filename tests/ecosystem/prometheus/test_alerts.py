"""The metrics and the alert rules by Prometheus' own tool: each alert is raised by its cause, and not without it."""

import json
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from app.bootstrap.shared import SystemClock
from app.store.db.database import connect
from app.store.destinations.health import DestinationHealthStore
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
    request = urllib.request.Request(f"{api.url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return str(response.read().decode())


def list_samples(scraped: str) -> dict[str, str]:
    lines = [line for line in scraped.splitlines() if line and not line.startswith("#")]
    return {name: f"{value}x60" for name, _, value in (line.rpartition(" ") for line in lines)}


def is_raised(promtool: str, folder: Path, samples: Mapping[str, str], alert: str, *, at: str = "30m") -> bool:
    """Whether the rules raise an alert within half an hour of these samples, one a minute."""
    series = [{"series": name, "values": values} for name, values in samples.items()]
    silent = {"eval_time": at, "alertname": alert, "exp_alerts": []}
    test = {
        "rule_files": [str(DEPLOY / "prometheus/alerts.yml")],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": series, "alert_rule_test": [silent]}],
    }
    (folder / "test.yml").write_text(json.dumps(test))  # JSON is YAML.
    command = [promtool, "test", "rules", str(folder / "test.yml")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    said = ended.stdout + ended.stderr
    assert ended.returncode == 0 or f"alertname: {alert}" in said, said
    return ended.returncode != 0


def test_the_rules_are_valid(promtool: str) -> None:
    subprocess.run([promtool, "check", "rules", str(DEPLOY / "prometheus/alerts.yml")], check=True)
    subprocess.run(
        [promtool, "check", "config", "--syntax-only", str(DEPLOY / "prometheus/prometheus.yml")], check=True
    )


def test_what_is_served_is_clean(promtool: str, api: ServedApi) -> None:
    command = [promtool, "check", "metrics"]
    ended = subprocess.run(command, input=scrape(api), capture_output=True, text=True, timeout=60, check=False)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


_RUN = """
    insert into sync_job_run (id, environment_id, sync_job_id, integrated_account_id, status, args, args_hash,
                              resources, sync_job, queue, daemon_group_key, created_at)
    select gen_random_uuid(), id, gen_random_uuid(), gen_random_uuid(), '{status}', '{{}}', '', '[]', '{{}}', 'q', 'eu',
           now() - interval '10 minutes' from environment returning id
"""
_DAEMON = """
    insert into daemon (id, label, group_key, status, metadata, last_active_at)
    values ('d', 'd', 'eu', 'active', '{metadata}', now())
"""
_DESTINATION = """
    with store as (
        insert into datastore (id, environment_id, type, config_encrypted)
        select gen_random_uuid(), id, 's3', '' from environment returning id, environment_id),
         destination as (
        insert into destination (id, environment_id, datastore_id)
        select gen_random_uuid(), environment_id, id from store returning id),
         log as (
        insert into account_log (integrated_account_id, last_sequence) values (gen_random_uuid(), 1)
     returning integrated_account_id),
         record as (
        insert into record (integrated_account_id, resource, remote_id, data, content_hash, sync_job_run_id, sequence,
                            updated_at)
        select integrated_account_id, 'tickets', '1', '{{}}', '', gen_random_uuid(), 1, now() - interval '1 hour'
          from log)
    insert into destination_cursor (destination_id, integrated_account_id, status, failing_since)
    select destination.id, log.integrated_account_id, '{status}', {failing_since} from destination, log
"""
# What brings an alert about: the state of an installation, as SQL.
CAUSES = {
    "FerrymanNoDaemon": [_RUN.format(status="created")],
    "FerrymanRunsWait": [_RUN.format(status="created"), _DAEMON.format(metadata="{}")],
    "FerrymanDaemonSilent": [
        """
        insert into daemon (id, label, group_key, status, metadata, last_active_at, updated_at)
        values ('d', 'd', 'eu', 'stopped', '{}', now() - interval '10 minutes', now() - interval '9 minutes')
        """
    ],
    "FerrymanMutexWaits": [
        _RUN.format(status="running"),
        _RUN.format(status="created"),
        """
        update sync_job_run set mutex_key = 'm', sync_job_id = '00000000-0000-0000-0000-000000000001',
                                created_at = created_at - interval '2 hours'
        """,
    ],
    "FerrymanRateLimited": [
        _RUN.format(status="rate_limited"),
        "update sync_job_run set retry_after = now() + interval '1 hour'",
    ],
    "FerrymanDutyFails": [_DAEMON.format(metadata='{"failing_duties": {"triggers": {"error": "ValueError"}}}')],
    "FerrymanMessagesStuck": ["insert into outbox (task, args, queue) values ('t', '[]', 'q')"],
    "FerrymanLeasesExpire": [
        f"""
        with run as ({_RUN.format(status="running")})
        insert into unit (id, run_id, kind, status, lease_expires_at)
        select gen_random_uuid(), id, 'fetch', 'leased', now() - interval '1 minute' from run
        """
    ],
    "FerrymanAccountsNeedReauth": [
        """
        with integration as (
            insert into integration (id, environment_id, name, config)
            select gen_random_uuid(), id, 'acme', '{}' from environment returning id, environment_id)
        insert into integrated_account (id, environment_id, integration_id, tenant_id, authentication_method, status,
                                        context_encrypted)
        select gen_random_uuid(), environment_id, id, 't', 'api_key', 'needs_reauth', '' from integration
        """
    ],
    "FerrymanDeliveriesBehind": [
        f"""
        with run as ({_RUN.format(status="running")})
        insert into delivery (id, run_id, webhook_id, event, body, created_at)
        select gen_random_uuid(), id, gen_random_uuid(), 'e', '', now() - interval '1 hour' from run
        """
    ],
    "FerrymanDestinationFails": [_DESTINATION.format(status="failing", failing_since="now() - interval '1 hour'")],
    "FerrymanDestinationBehind": [_DESTINATION.format(status="waiting", failing_since="null")],
    "FerrymanWebhookDisabled": [
        """
        insert into webhook (id, environment_id, target_url, secret_encrypted, is_active, disabled_reason)
        select gen_random_uuid(), id, 'https://example.com', '', false, 'it failed' from environment
        """
    ],
}

TABLES = (
    *("sync_job_run", "daemon", "outbox", "integrated_account", "delivery", "webhook", "integration"),
    *("destination", "datastore", "record", "account_log"),
)


@pytest.fixture
def clear(api: ServedApi) -> Iterator[Engine]:
    """A database without what tests insert."""
    engine = connect(api.database_url, pool_size=1)
    yield engine
    with engine.begin() as connection:
        for table in TABLES:
            connection.execute(text(f"delete from {table}"))
    engine.dispose()


@pytest.mark.parametrize("alert", CAUSES)
def test_a_state_raises_its_alert(promtool: str, api: ServedApi, clear: Engine, tmp_path: Path, alert: str) -> None:
    assert not is_raised(promtool, tmp_path, list_samples(scrape(api)), alert)

    with clear.begin() as connection:
        for statement in CAUSES[alert]:
            connection.exec_driver_sql(statement)
    # What the leader sees of destinations is what is scraped.
    DestinationHealthStore(clear, SystemClock()).look()

    assert is_raised(promtool, tmp_path, list_samples(scrape(api)), alert)


def test_a_broker_that_is_away_raises_its_alert(promtool: str, postgres_server: PostgresServer, tmp_path: Path) -> None:
    nobody = f"redis+socket://{tmp_path}/nobody.sock"
    with served_api(postgres_server, broker_url=nobody, metrics_token=TOKEN) as api:
        assert is_raised(promtool, tmp_path, list_samples(scrape(api)), "FerrymanBrokerUnreachable")


# What rises, or stays, as processes count it.
COUNTED = {
    "FerrymanDown": {'up{job="ferryman-api"}': ("1x60", "0x60")},
    "FerrymanNoLeader": {"ferryman_leader": ("1x60", "0x60")},
    "FerrymanRunsFail": {
        'ferryman_runs_ended_total{status="failed",error_code="lost_worker"}': ("3x60", "0+1x60"),
        'ferryman_runs_ended_total{status="completed",error_code=""}': ("0+9x60", "0+9x60"),
    },
    "FerrymanUpstreamFails": {
        'ferryman_upstream_requests_total{integration="acme",status="503"}': ("0+1x60", "0+5x60"),
        'ferryman_upstream_requests_total{integration="acme",status="200"}': ("0+9x60", "0+9x60"),
    },
    "FerrymanUpstreamRefuses": {
        'ferryman_upstream_requests_total{integration="acme",status="401"}': ("0+1x60", "0+5x60"),
        'ferryman_upstream_requests_total{integration="acme",status="200"}': ("0+9x60", "0+9x60"),
    },
    "FerrymanNotificationsFail": {
        'ferryman_notifications_total{type="slack",outcome="failed"}': ("0+1x60", "0+2x60"),
        'ferryman_notifications_total{type="slack",outcome="sent"}': ("0+1x60", "0+1x60"),
        'ferryman_notifications_total{type="email",outcome="sent"}': ("0+9x60", "0+9x60"),
    },
    "FerrymanSpansDropped": {'ferryman_spans_dropped_total{reason="not_sent"}': ("7x60", "0+1x60")},
    "FerrymanRecordsQuarantined": {'ferryman_records_quarantined_total{integration="acme"}': ("7x60", "0+1x60")},
}


@pytest.mark.parametrize("alert", COUNTED)
def test_counts_raise_their_alert(promtool: str, tmp_path: Path, alert: str) -> None:
    well = {name: values for name, (values, _) in COUNTED[alert].items()}
    ill = {name: values for name, (_, values) in COUNTED[alert].items()}

    assert not is_raised(promtool, tmp_path, well, alert)
    assert is_raised(promtool, tmp_path, ill, alert)


@pytest.mark.parametrize(
    ("alert", "series"),
    [
        ("FerrymanRunsFail", 'ferryman_runs_ended_total{status="failed",error_code="lost_worker"}'),
        ("FerrymanRecordsQuarantined", 'ferryman_records_quarantined_total{integration="acme"}'),
    ],
)
def test_the_first_one_of_its_kind_raises_an_alert(promtool: str, tmp_path: Path, alert: str, series: str) -> None:
    assert is_raised(promtool, tmp_path, {series: "_x20 1x40"}, alert)


@pytest.mark.parametrize(
    ("usual", "slow", "is_slow"),
    [("0.5", "10", True), ("0.05", "0.5", False), ("10", "10", False)],
    ids=["twenty times", "half a second", "as usual"],
)
def test_upstream_that_slows_down_raises_its_alert(
    promtool: str, tmp_path: Path, usual: str, slow: str, is_slow: bool
) -> None:
    def series(le: str) -> tuple[str, str]:
        name = f'ferryman_upstream_request_seconds_bucket{{integration="acme",le="{le}"}}'
        # Sixty answers a minute: two hours and a half as usual, then half an hour and more slow ones.
        has_usual, has_slow = float(le) >= float(usual), float(le) >= float(slow)
        begun = f"0+{60 if has_usual else 0}x150"
        return name, f"{begun} {9000 if has_usual else 0}+{60 if has_slow else 0}x40"

    samples = dict(series(le) for le in ("0.01", "0.05", "0.25", "0.5", "5", "10", "+Inf"))

    assert is_raised(promtool, tmp_path, samples, "FerrymanUpstreamSlow", at="3h") is is_slow


def test_every_alert_is_raised_by_a_test() -> None:
    alerts = re.findall(r"alert: (\w+)", (DEPLOY / "prometheus/alerts.yml").read_text())

    assert sorted(alerts) == sorted([*CAUSES, *COUNTED, "FerrymanBrokerUnreachable", "FerrymanUpstreamSlow"])
