"""`ferryman account` and `ferryman integration`: an operator's word about where secrets go."""

from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result
from cryptography.fernet import Fernet
from sqlalchemy import text

from app.api.resources.services import ApiServices
from app.bootstrap.api import build_api_services
from app.bootstrap.operator_secrets import build_origin_approval
from app.cli.main import main
from app.cli.operating import origins
from app.engine.ids import new_id
from app.settings import Settings
from app.store.db.database import connect
from tests.support.servers import PostgresServer

OPEN = {"base_url": "{{context.site}}", "allowed_hosts": ["up.test"], "headers": {"X-Api-Key": "canary-literal"}}


class Operator:
    """A database and the command line that works on it."""

    def __init__(self, url: str) -> None:
        self.settings = Settings(
            database_url=url, broker_url="memory://", encryption_key=Fernet.generate_key().decode()
        )
        self.engine = connect(url, pool_size=1)
        self.services: ApiServices = build_api_services(self.settings)
        self.approval = build_origin_approval(self.settings, self.engine)
        self.environment = self.services.tokens.default_environment()

    def ferryman(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, arguments)


@pytest.fixture(scope="module")
def opened(postgres_server: PostgresServer) -> Iterator[Operator]:
    with postgres_server.fresh_database() as url:
        operator = Operator(url)
        yield operator
        operator.services.close()
        operator.engine.dispose()


@pytest.fixture
def operator(opened: Operator, monkeypatch: pytest.MonkeyPatch) -> Operator:
    # A command's own process ends with its connections.
    monkeypatch.setattr(origins, "_approval", lambda _data_dir: opened.approval)
    return opened


def test_integrations_that_do_not_say_where_their_secrets_go_are_listed(operator: Operator) -> None:
    made = operator.services.integrations.create(operator.environment, {"name": "open", "config": OPEN})
    none = operator.ferryman("integration", "check-hosts")
    engine = connect(operator.settings.database_url, pool_size=1)
    with engine.begin() as connection:
        forget = "update integration set config = config - 'allowed_hosts' where id = :id"
        connection.execute(text(forget), {"id": made.id})
    engine.dispose()

    some = operator.ferryman("integration", "check-hosts")

    assert (none.exit_code, "All integrations say" in none.output) == (0, True)
    assert (some.exit_code, made.id in some.output, "canary" in some.output) == (1, True, False)


def test_origins_are_approved_by_id(operator: Operator) -> None:
    config = {"base_url": "https://one.test", "headers": {"X-Api-Key": "canary-literal"}}
    made = operator.services.integrations.create(operator.environment, {"name": "acme", "config": config})
    fields = {"integration_name": "acme", "tenant_id": "t", "context": {"api_key": "canary-key"}}
    account = operator.services.accounts.create(operator.environment, fields)
    operator.services.integrations.update(operator.environment, made.id, {"config": {"base_url": "https://two.test"}})
    moved = operator.services.accounts.get(operator.environment, account.id)

    of_account = operator.ferryman("account", "approve-origin", account.id)
    of_integration = operator.ferryman("integration", "approve-hosts", made.id)

    assert (moved.status, str(moved.last_error).startswith("origin_changed")) == ("needs_reauth", True)
    assert of_account.stdout == f"{account.id}: https://two.test\n"
    assert of_integration.stdout == "two.test\n"
    assert operator.services.accounts.get(operator.environment, account.id).status == "active"
    assert "canary" not in of_account.output + of_integration.output


@pytest.mark.parametrize("command", [("account", "approve-origin"), ("integration", "approve-hosts")])
def test_what_is_not_there_is_told(operator: Operator, command: tuple[str, ...]) -> None:
    absent = operator.ferryman(*command, new_id())
    wrong = operator.ferryman(*command, "x")

    assert (absent.exit_code, "does not exist" in absent.output) == (1, True)
    assert (wrong.exit_code, "is not a valid UUID" in wrong.output) == (2, True)
