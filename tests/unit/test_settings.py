import re
from dataclasses import fields
from pathlib import Path

import pytest

from app import setting_values, settings
from app.engine.objects.daemons import GROUP_KEY
from app.setting_errors import MissingSettingError
from app.settings import Settings

REQUIRED = {
    "DATABASE_URL": "postgresql://u:p%40ss@host:5432/ferryman",
    "BROKER_URL": "redis://:secret@host:6379/0",
    "FERRYMAN_ENCRYPTION_KEY": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
}
PAGE = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()
NUMBERS = [name for name, spec in Settings.__dataclass_fields__.items() if spec.type in {int, float}]


def faults(**variables: str) -> str:
    with pytest.raises(MissingSettingError) as caught:
        settings.read_environment({**REQUIRED, **variables})
    return str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DATABASE_URL", "postgres://u@/ferryman?host=/run/postgres&port=5432"),
        ("DATABASE_URL", "postgresql://u:p@one:5432/ferryman?sslmode=require"),
        ("DATABASE_URL", "postgresql://u:p@one:5432,two:5433/ferryman?target_session_attrs=read-write"),
        ("DATABASE_URL", "postgresql://one/ferryman?options=-c%20search_path%3Dapp&connect_timeout=3"),
        ("FERRYMAN_SESSION_DATABASE_URL", "postgresql://u:p@one/ferryman"),
        ("FERRYMAN_PREPARE_STATEMENTS", "0"),
        ("BROKER_URL", "amqp://u:p@host//"),
        ("BROKER_URL", "rediss://host/1"),
        ("BROKER_URL", "redis+socket:///run/redis.sock"),
        ("FERRYMAN_BUDGET_URL", "redis://host/2"),
        ("FERRYMAN_ENCRYPTION_KEY", f"{REQUIRED['FERRYMAN_ENCRYPTION_KEY']}, {'_' * 42}8="),
        ("FERRYMAN_MESSAGE_KEY", "k" * 32),
        ("FERRYMAN_ALLOWED_NETWORKS", "10.1.0.0/16, ::1/128"),
        ("FERRYMAN_SLICE_PAGES", "0"),
        ("FERRYMAN_RUN_RETENTION_SECONDS", "0"),
        ("FERRYMAN_DELETE_LIMIT_PERCENT", "100"),
        ("FERRYMAN_SWEEP_SECONDS", "0.2"),
        ("FERRYMAN_LEASE_SECONDS", ""),
    ],
)
def test_setting_is_taken(variable: str, value: str) -> None:
    settings.read_environment({**REQUIRED, variable: value})


@pytest.mark.parametrize("name", [one.name for one in fields(Settings) if isinstance(one.default, int | float)])
def test_default_may_be_written_out(name: str) -> None:
    default = Settings.__dataclass_fields__[name].default

    read = settings.read_environment({**REQUIRED, f"FERRYMAN_{name.upper()}": f"{default}"})

    assert getattr(read, name) == default


ZEROS = re.findall(r"^\| `(FERRYMAN_\w+)` \| .*\b0(?: (?:is|keeps|prepares|turns)\b|: )", PAGE, re.MULTILINE)


@pytest.mark.parametrize("variable", ZEROS)
def test_zero_is_taken_where_the_page_says_what_it_means(variable: str) -> None:
    read = settings.read_environment({**REQUIRED, variable: "0"})

    assert getattr(read, variable.removeprefix("FERRYMAN_").lower()) == 0


def test_nothing_is_told_of_defaults() -> None:
    read = settings.read_environment(REQUIRED)

    assert read == Settings(
        database_url=REQUIRED["DATABASE_URL"],
        broker_url=REQUIRED["BROKER_URL"],
        encryption_key=REQUIRED["FERRYMAN_ENCRYPTION_KEY"],
    )


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", ["-1", "many", "٣", "1_0"])
def test_number_that_is_none_or_negative_is_told_by_its_variable(name: str, value: str) -> None:
    variable = f"FERRYMAN_{name.upper()}"

    told = faults(**{variable: value})

    assert told.startswith(f"{variable}: expected ")
    assert told.endswith(f", not '{value}'")


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("FERRYMAN_LEASE_SECONDS", "0", "expected a number, more than 0, not '0'"),
        ("FERRYMAN_LEASE_SECONDS", "nan", "expected a number, more than 0, not 'nan'"),
        ("FERRYMAN_LEASE_SECONDS", "inf", "expected a number, more than 0, not 'inf'"),
        ("FERRYMAN_SLICE_PAGES", "1.5", "expected a whole number, not '1.5'"),
        ("FERRYMAN_RUN_RETENTION_SECONDS", "-5", "expected a number, 0 or more, not '-5'"),
        ("FERRYMAN_DELETE_LIMIT_PERCENT", "101", "expected a number from 0 to 100, not '101'"),
        ("FERRYMAN_PREPARE_STATEMENTS", "2", "expected a number from 0 to 1, not '2'"),
        ("BROKER_URL", "sentinel://host:26379/0", "Redis Sentinel is not supported"),
        ("DATABASE_URL", "postgresql://host/db?search_path=app", "parameters are those that libpq knows"),
        ("FERRYMAN_DEFAULT_GROUP", "a b", "expected 1 to 100 letters"),
        ("FERRYMAN_ALLOWED_NETWORKS", "10.0.0.0/8,here", "'here' is not a network such as 10.1.0.0/16"),
        ("FERRYMAN_PUBLIC_URL", "ferryman.example.com", "expected an address such as https://ferryman.example.com"),
        ("FERRYMAN_PUBLIC_URL", "https://[::1", "expected an address such as https://ferryman.example.com"),
        ("FERRYMAN_SMTP_FROM", "a@b\nBcc: c@d", "expected an address such as ferryman@example.com"),
        ("FERRYMAN_SMTP_FROM", "a@example.com", "FERRYMAN_SMTP_URL is not set"),
        ("FERRYMAN_SMTP_URL", "smtps://mail.example.com", "FERRYMAN_SMTP_FROM is not set"),
        ("FERRYMAN_SMTP_URL", "smtps://mail.example.com/inbox", "expected an address such as smtps://"),
        ("FERRYMAN_SMTP_URL", "smtp+insecure://u:p@localhost", "a password would be sent in clear"),
        ("FERRYMAN_DEAF_SECONDS", "5", "expected more than FERRYMAN_HEARTBEAT_SECONDS, which is 10"),
        ("FERRYMAN_HEARTBEAT_SECONDS", "50", "expected more than FERRYMAN_HEARTBEAT_SECONDS, which is 50"),
    ],
)
def test_value_that_can_not_work_is_told(variable: str, value: str, told: str) -> None:
    assert told in faults(**{variable: value})


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DATABASE_URL", "s3cret"),
        ("DATABASE_URL", "mysql://u:s3cret@host/db"),
        ("DATABASE_URL", "postgresql:s3cret"),
        ("DATABASE_URL", "postgresql://u:pa/s3cret@host/db"),
        ("DATABASE_URL", "postgresql://u:p@host/db?s3cret=1"),
        ("FERRYMAN_SESSION_DATABASE_URL", "s3cret"),
        ("BROKER_URL", "s3cret:6379"),
        ("BROKER_URL", "http://u:s3cret@host"),
        ("FERRYMAN_BUDGET_URL", "amqp://u:s3cret@host"),
        ("FERRYMAN_ENCRYPTION_KEY", "s3cret"),
        ("FERRYMAN_ENCRYPTION_KEY", f"{REQUIRED['FERRYMAN_ENCRYPTION_KEY']},s3cret"),
        ("FERRYMAN_MESSAGE_KEY", "s3cret"),
        ("FERRYMAN_SMTP_URL", "http://u:s3cret@host"),
        ("FERRYMAN_SMTP_URL", "smtps://u:s3cret@[host"),
        ("FERRYMAN_SMTP_URL", "smtps://s3cret@host"),
    ],
)
def test_secret_that_is_malformed_is_told_by_its_variable_alone(variable: str, value: str) -> None:
    told = faults(**{variable: value})

    assert told.startswith(f"{variable}: ")
    assert "s3cret" not in told


def test_options_are_refused_where_a_pooler_would_drop_them() -> None:
    told = faults(
        DATABASE_URL="postgresql://pooler/ferryman?options=-c%20search_path%3Dapp",
        FERRYMAN_SESSION_DATABASE_URL="postgresql://postgres/ferryman?options=-c%20search_path%3Dapp",
    )

    assert told.startswith("DATABASE_URL: a pooler keeps no options")
    assert "alter role" in told


def test_all_faults_are_told_at_once() -> None:
    told = faults(DATABASE_URL="", BROKER_URL="nowhere", FERRYMAN_LEASE_SECONDS="x", FERRYMAN_SWEEP_SECONDS="-1")

    assert [fault.partition(" ")[0].rstrip(":") for fault in told.split("; ")] == [
        *("DATABASE_URL", "BROKER_URL", "FERRYMAN_LEASE_SECONDS", "FERRYMAN_SWEEP_SECONDS"),
    ]


def test_group_that_a_setting_names_is_read_as_that_of_a_run() -> None:
    assert setting_values._GROUP_KEY.pattern == GROUP_KEY.pattern
