"""The credentials of accounts: the store, and what stands for it in unit tests, do what their port says."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from cryptography.fernet import Fernet

from app.engine.ids import new_id
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.environments import EnvironmentId
from app.engine.record_errors import SourceError
from app.engine.runs.work import EventDraft
from app.services.accounts import ports
from app.store.accounts.accounts import AccountStore
from app.store.accounts.credentials import CredentialStore
from app.store.db.database import connect
from app.store.secrets.encryption import Cipher
from app.store.secrets.encryption_keys import KeyStore
from tests.support.rows import put
from tests.unit.services.accounts.test_credential_service import ACCOUNT, FakeCredentials, context


@dataclass
class Subject:
    """An account with the token ``old``, and a webhook beside it."""

    store: ports.CredentialStore
    account_id: str
    announced: list[tuple[str, int]] = field(default_factory=list)

    def refuse(self, token: str = "old", call: str = "users.list") -> bool:
        return self.store.refuse(self.account_id, token=token, reason="401", call=call, announce=self.announce)

    def accept(self, token: str = "old", call: str = "users.list", quiet_seconds: float = 60) -> bool:
        return self.store.accept(self.account_id, token=token, call=call, quiet_seconds=quiet_seconds)

    def announce(self, account: IntegratedAccount, webhook_ids: Sequence[str]) -> list[EventDraft]:
        self.announced.append((account.id, len(webhook_ids)))
        return []


@pytest.fixture(params=["fake", "real"])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    if request.param == "fake":
        yield Subject(FakeCredentials(), ACCOUNT.id)
        return
    engine = connect(request.getfixturevalue("database_url"))
    cipher = Cipher(Fernet.generate_key().decode(), KeyStore(engine))
    environment = put(engine, "environment", name="e")
    put(engine, "webhook", environment_id=environment, target_url="https://receiver.test", secret_encrypted=b"")
    integration = put(engine, "integration", environment_id=environment, name="acme", config={})
    values = {"integration_id": integration, "tenant_id": "t", "authentication_method": "oauth2"}
    overrides = {"unified_model_override": {}, "integration_override": {}}
    accounts = AccountStore(engine, cipher)
    account = accounts.create(EnvironmentId(environment), new_id(), {**values, **overrides}, context=context("old"))
    yield Subject(CredentialStore(engine, cipher), account.id)
    engine.dispose()


def test_locked_credentials_are_replaced(subject: Subject) -> None:
    with subject.store.lock(subject.account_id) as locked:
        assert locked.context == context("old")
        locked.write(context("new"), frozenset({"https://up.test"}))

    assert subject.store.read_context(subject.account_id) == context("new")
    assert subject.store.read_current(subject.account_id) == (context("new"), frozenset({"https://up.test"}))


def test_origins_stay_where_none_are_written(subject: Subject) -> None:
    for origins in (frozenset({"https://up.test"}), None):
        with subject.store.lock(subject.account_id) as locked:
            locked.write(context("new"), origins)

    assert subject.store.read_current(subject.account_id)[1] == {"https://up.test"}


def test_account_that_is_gone_has_no_credentials(subject: Subject) -> None:
    gone = new_id()

    for read in (subject.store.read_context, subject.store.read_current):
        with pytest.raises(SourceError, match="was deleted"):
            read(gone)
    with pytest.raises(SourceError, match="was deleted"), subject.store.lock(gone):
        pass
    assert subject.store.refuse(gone, token="old", reason="x", call="", announce=subject.announce) is False
    assert subject.store.accept(gone, token="old", call="", quiet_seconds=0) is True


def test_refusal_of_the_present_token_is_announced_once(subject: Subject) -> None:
    assert [subject.refuse("another"), subject.refuse(), subject.refuse()] == [False, True, False]

    assert subject.announced == [(subject.account_id, 1)]


def test_success_ends_the_refusal_of_its_own_call_and_token(subject: Subject) -> None:
    assert subject.accept() is True
    subject.refuse()

    assert [subject.accept(call="tickets.list"), subject.accept(token="another")] == [False, False]
    assert subject.accept() is True
    assert subject.refuse() is True


def test_success_of_another_call_ends_a_refusal_that_is_quiet(subject: Subject) -> None:
    subject.refuse()

    assert subject.accept(call="tickets.list", quiet_seconds=0) is True


def test_new_token_ends_a_refusal(subject: Subject) -> None:
    subject.refuse()

    with subject.store.lock(subject.account_id) as locked:
        locked.write(context("new"), None)

    assert subject.refuse("new") is True


def test_forbidden_call_leaves_the_credentials_as_they_are(subject: Subject) -> None:
    subject.store.record_forbidden(subject.account_id, {"resource": "users", "method": "list"})

    assert subject.accept() is True
    assert subject.store.read_context(subject.account_id) == context("old")
