import os
from pathlib import Path

import pytest
from celery.utils.nodenames import host_format

from app.settings import Settings
from app.stack import commands
from app.stack.children import build_environment, build_flower


def test_daemon_listens_to_its_group_and_the_webhook_runs() -> None:
    command = commands.build_daemon_command("d-1", group="eu", concurrency=4)

    assert command[command.index("--queues") + 1] == "daemon-group.eu,rapid-bridge"
    assert command[command.index("--hostname") + 1] == "d-1@%h"
    assert command[command.index("--concurrency") + 1] == "4"


def test_id_of_a_daemon_is_taken_as_it_is() -> None:
    command = commands.build_daemon_command("100%h", group="eu", concurrency=4)

    assert host_format(command[command.index("--hostname") + 1], "machine") == "100%h@machine"


def test_gunicorn_itself_believes_no_proxy() -> None:
    command = commands.build_api_command("127.0.0.1:8000", worker_tmp_dir="/tmp")

    assert command[command.index("--forwarded-allow-ips") + 1] == ""


def test_flower_never_shows_the_token_on_its_command_line() -> None:
    spec = build_flower(5555, {}, "s3cret")

    assert "s3cret" not in " ".join(spec.command)
    assert "s3cret" not in repr(spec)
    assert spec.environment["FLOWER_BASIC_AUTH"] == "ferryman:s3cret"


def test_flower_is_told_neither_the_database_nor_the_encryption_key() -> None:
    settings = {f"FERRYMAN_{name.upper()}": "secret" for name in Settings.__dataclass_fields__}
    everything = settings | {"DATABASE_URL": "secret", "BROKER_URL": "redis://", "AWS_SECRET_ACCESS_KEY": "secret"}

    environment = build_flower(5555, everything | {"PATH": "/bin", "LC_ALL": "C"}, "s3cret").environment

    assert environment.keys() == {"BROKER_URL", "FERRYMAN_MESSAGE_KEY", "FLOWER_BASIC_AUTH", "PATH", "LC_ALL"}


def test_child_environment_leaves_out_what_would_steer_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGPORT", "CELERY_BROKER_URL", "GUNICORN_CMD_ARGS", "FLOWER_PORT", "FERRYMAN_SLICE_SECONDS"):
        monkeypatch.setenv(name, "1")

    environment = build_environment({"FERRYMAN_SLICE_SECONDS": "2"})

    assert environment.keys() - os.environ.keys() <= {"PYTHONUNBUFFERED"}
    assert environment["FERRYMAN_SLICE_SECONDS"] == "2"
    assert not environment.keys() & {"PGPORT", "CELERY_BROKER_URL", "GUNICORN_CMD_ARGS", "FLOWER_PORT"}


def test_dotenv_sample_names_every_setting() -> None:
    sample = (Path(__file__).parents[3] / "dotenv-sample").read_text()
    required = {"database_url": "DATABASE_URL", "broker_url": "BROKER_URL"}
    variables = [required.get(name, f"FERRYMAN_{name.upper()}") for name in Settings.__dataclass_fields__]

    assert [name for name in variables if f"{name}=" not in sample] == []
