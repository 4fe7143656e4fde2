"""What a slice knows of its run, and why a run can not be carried out."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from app.engine.errors import UnreadableSecretError
from app.engine.ids import new_id
from app.engine.integrations import config
from app.engine.json_types import JSON
from app.services.contexts.context import RunContexts, RunUnworkableError
from tests.unit.services.service_setting import Setting, setting
from tests.unit.services.service_tables import NOON, FakeTable, account, integration, run, unified


def test_context_holds_the_plan_and_what_requests_see() -> None:
    here = setting([{"resource": "tickets"}], run_fields={"args": {"x": 1}, "started_at": NOON})

    context = here.context()

    assert (context.queue, list(context.items)) == ("daemon-group.blue", ["tickets"])
    assert context.item_of("id-of-tickets") is context.items["tickets"]
    assert context.scope["args"] == {"x": 1}
    assert context.scope["subdomain"] == "acme"
    assert context.scope["sync_job_run"]["started_at"] == "2026-03-01T12:00:00.000Z"
    assert "previous_run_date" not in context.scope


def test_requests_see_no_secret_of_the_account_which_is_still_called_with_it() -> None:
    here = setting()
    here.accounts = FakeTable(account, account(context={"api_key": "canary", "site": "acme"}))

    context = here.context()

    assert "canary" not in str(context.scope)
    assert (context.scope["site"], context.account.context["api_key"]) == ("acme", "canary")


def test_context_shows_no_credentials() -> None:
    context = setting().context()

    assert "acme" not in repr(context)


def test_config_is_read_anew_only_when_it_was_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[JSON] = []
    parse_config = config.parse_config
    monkeypatch.setattr(config, "parse_config", lambda raw: (read.append(raw), parse_config(raw))[1])
    here = setting()
    changed = {"base_url": f"https://{new_id()}.example"}
    here.integrations.rows["integration"] = integration(config=changed)

    asked = [here.context().config.find_method(name, "list") for name in ("tickets", "users")]

    assert read == [changed]
    assert asked[0].path != asked[1].path
    assert here.context().config is not here.context().config, "what one run notes in it is no other's"
    here.integrations.rows["integration"] = integration(config={**changed, "query": {"a": "b"}})
    assert here.context().config.query is not None
    assert len(read) == 2


def test_envelope_names_the_runs_webhook() -> None:
    here = setting(run_fields={"webhook_id": "webhook"})

    envelope = here.context().envelope(here.clock)

    assert (envelope.webhook_id, envelope.created_at) == ("webhook", NOON)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda here: here.runs.rows.clear(), "run 'run' was deleted"),
        (lambda here: here.accounts.rows.clear(), "integrated account 'account' was deleted"),
        (lambda here: here.integrations.rows.clear(), "integration 'helpdesk' was deleted"),
        (lambda here: here.runs.add(run(resources=[])), "resources: expected a list of at least one resource"),
        (
            lambda here: here.integrations.rows.update(integration=integration(config=[])),
            "integration 'helpdesk': config: expected",
        ),
    ],
    ids=["no run", "no account", "no integration", "invalid resources", "invalid config"],
)
def test_run_can_not_be_carried_out_with(spoil: Callable[[Setting], object], message: str) -> None:
    here = setting()
    spoil(here)

    with pytest.raises(RunUnworkableError, match=message):
        here.context()


def test_each_item_sees_its_own_previous_run_date() -> None:
    here = setting([{"resource": "users"}, {"resource": "logs"}], run_fields={"previous_run_date": NOON})
    here.runs.later_bounds["logs"] = NOON + timedelta(days=1)

    context = here.contexts().load("run")

    seen = [context.scope_of(context.items[name])["previous_run_date"] for name in ("users", "logs")]
    assert seen == ["2026-03-01T12:00:00.000Z", "2026-03-02T12:00:00.000Z"]


def test_an_item_may_be_an_increment_though_its_run_asks_for_everything_of_another() -> None:
    here = setting([{"resource": "users"}, {"resource": "logs"}])
    here.runs.later_bounds["logs"] = NOON

    context = here.contexts().load("run")

    assert "previous_run_date" not in context.scope_of(context.items["users"])
    assert context.scope_of(context.items["logs"])["previous_run_date"] == "2026-03-01T12:00:00.000Z"


def test_run_whose_account_does_not_decrypt_says_so() -> None:
    class Unreadable:
        def read(self, run_id: str) -> None:
            raise UnreadableSecretError(f"what is stored at '{run_id}' does not open there")

    contexts = RunContexts(
        read_rows=Unreadable().read,
        accounts=FakeTable(account),
        note_origins=FakeTable(account).note_origins,
        integrations=FakeTable(integration),
        unified=unified(),
    )

    with pytest.raises(RunUnworkableError, match=r"a secret of its account .* stored at 'run' does not open there"):
        contexts.load("run")
