"""``/integrated-account``, and ``/integrated-account/me``: the account of the request's token."""

from dataclasses import asdict
from http import HTTPStatus

from app.api.documents.operations import document_answers
from app.api.parsing.parsing import Body
from app.api.parsing.preconditions import if_match
from app.api.resources import offered
from app.api.resources.embedded import read_embeddings, show_installation, show_integration
from app.api.resources.resource import ANY_ERROR, Resource
from app.api.resources.services import environment, own_account, services
from app.api.resources.views import Answer, answer_created, read_filters, show_page, show_plain
from app.api.schemas import accounts as schemas
from app.api.schemas import offers
from app.api.schemas.fields import Deleted, Success, page_of
from app.api.schemas.save_warnings import add_warnings
from app.engine.config.secrets import redact_config
from app.engine.errors import NotFoundError
from app.engine.integrations.embedding import Embeddings
from app.engine.integrations.offers import Offering
from app.engine.json_types import JsonObject
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.environments import Role
from app.engine.objects.integrations import EnvironmentIntegration
from app.engine.objects.lists import Page
from app.services.accounts.ports import KIND
from app.services.catalog import known_names

integrated_accounts = Resource(
    "integrated-account",
    description="Customers' accounts at third parties",
    changes=Role.ADMIN,
    actions=("refresh-credentials", "token", "bulk-delete", "restore", "run-post-install-actions", "me"),
)
own_accounts = Resource(
    "integrated-account/me",
    description="An account as the holder of its own token sees it",
    changes=Role.ADMIN,
    is_for_accounts=True,
)

_ABSENT = document_answers(HTTPStatus.NOT_FOUND)


@integrated_accounts.serves("POST", body=schemas.NewAccount, answer=schemas.Account, status=201)
def create_account(body: Body) -> Answer:
    """Create an integrated account."""
    account = services().accounts.create(environment(), body.fields, body.faults)
    _judge_overrides(body, account)
    return answer_created(_show(account))


@integrated_accounts.serves("GET", query=schemas.AccountQuery, answer=page_of(schemas.Account))
def list_accounts(query: JsonObject) -> Answer:
    """List integrated accounts, newest first."""
    can_be_any = _can_match(query)
    filters = read_filters(query, renamed={"integration_dot_name": "integration_name"})
    nothing: Page[IntegratedAccount] = Page(result=[], next_cursor=None, limit=filters.limit)
    page = services().accounts.list(environment(), filters) if can_be_any else nothing
    embedded = read_embeddings(page.result)
    return show_page(page, lambda account: _show_with(account, embedded))


@integrated_accounts.serves(
    "POST", "/refresh-credentials", body=schemas.AccountRefresh, answer=schemas.RefreshedAccount, documented=ANY_ERROR
)
def refresh_integrated_account_credentials(body: Body) -> Answer:
    """Renew an account's OAuth 2 token now; 401 when it has to be connected anew."""
    return {
        **_show(services().credentials.refreshing.refresh(environment(), body.require_valid()["id"])),
        "success": True,
    }


@integrated_accounts.serves("POST", "/token", body=schemas.AccountTokenRequest, answer=schemas.AccountToken)
def create_integrated_account_token(body: Body) -> Answer:
    """Create a token of one account: for 15 minutes it may call that account, read it, and change its credentials."""
    account_id = body.require_valid()["integrated_account_id"]
    return {"integrated_account_token": services().credentials.tokens.issue(environment(), account_id)}


@integrated_accounts.serves("POST", "/bulk-delete", body=schemas.AccountIds, answer=schemas.DeletedAccounts)
def delete_integrated_accounts(body: Body) -> Answer:
    """Remove accounts as DELETE does: all of some ids or, when one does not exist, none; or those that are found."""
    deleted = services().bulk_deletion.delete(environment(), body.fields, body.faults)
    counts = {"matched_count": deleted.matched_count, "deleted_count": len(deleted.ids)}
    return {"success": True, "ids": list(deleted.ids), **counts}


@integrated_accounts.serves("POST", "/restore", body=schemas.AccountAction, answer=schemas.Account)
def restore_integrated_account(body: Body) -> Answer:
    """Undo the deletion of an account that is not erased yet: it is restored as it was, with all its data."""
    account_id = body.require_valid()["id"]
    services().account_deletion.restore(environment(), account_id)
    return _show(services().accounts.get(environment(), account_id))


@integrated_accounts.serves("POST", "/run-post-install-actions", body=schemas.AccountAction, answer=Success)
def run_post_install_actions(body: Body) -> Answer:
    """Refuse to run an integration's post-install actions, which are not supported."""
    services().accounts.refuse_post_install(environment(), body.require_valid()["id"])


@integrated_accounts.serves("GET", "/<id>", answer=schemas.Account)
def get_account(id: str) -> Answer:
    """Show an integrated account."""
    return _show(services().accounts.get(environment(), id))


@integrated_accounts.serves("PATCH", "/<id>", body=schemas.AccountPatch, answer=schemas.Account)
def update_account(body: Body, id: str) -> Answer:
    """Change an integrated account: its context is merged at the top level; masks that are sent back change nothing."""
    finish = services().key_changes.watch_account(environment(), id)
    changed = services().accounts.update(environment(), id, body.fields, body.faults, seen=if_match())
    _judge_overrides(body, changed)
    return add_warnings(_show(changed), finish())


@integrated_accounts.serves("PATCH", "/<id>/credentials", body=schemas.AccountCredentials, answer=schemas.Account)
def update_integrated_account_credentials(body: Body, id: str) -> Answer:
    """Change an account's credentials, which are merged into its context, and have them used again."""
    return _show(services().accounts.update(environment(), id, body.fields, body.faults))


@integrated_accounts.serves("GET", "/<id>/tools", query=offers.ToolQuery, answer=offers.ToolPage)
def list_integrated_account_tools(query: JsonObject, id: str) -> Answer:
    """Describe the methods of an account's API as tools for an AI agent."""
    return offered.tools(_offering(id), query)


@integrated_accounts.serves("GET", "/<id>/capabilities", query=offers.CapabilityQuery, answer=offers.Capabilities)
def get_integrated_account_capabilities(query: JsonObject, id: str) -> Answer:
    """Show the callable methods of an account: those of its API, and mapped ones of unified models."""
    return offered.capabilities(_offering(id), query)


@integrated_accounts.serves("GET", "/<id>/unified-apis", answer=offers.UnifiedApiPage)
def list_integrated_account_unified_apis(id: str) -> Answer:
    """List the unified models that are mapped for an account, with their resources and methods."""
    return offered.list_unified_apis(_offering(id))


@integrated_accounts.serves("GET", "/<id>/budget", answer=schemas.AccountBudget)
def get_account_budget(id: str) -> Answer:
    """Show what was learned of an account's limits, until when it is paused, and the runs that wait for it."""
    budget = services().budgets.show(environment(), id)
    return {
        **show_plain(budget),
        "quota": None if budget.quota is None else show_plain(budget.quota),
        "parked_runs": [show_plain(run) for run in budget.parked_runs],
    }


@integrated_accounts.serves("DELETE", "/<id>/budget", answer=schemas.BudgetReset, role=Role.RUN)
def reset_account_budget(id: str) -> Answer:
    """Discard what was learned of an account's limits: the runs that wait for them continue at once."""
    return {"id": id, "runs": list(services().budgets.reset(environment(), id))}


@integrated_accounts.serves("DELETE", "/<id>", query=schemas.Deletion, answer=Deleted)
def delete_account(query: JsonObject, id: str) -> Answer:
    """Remove an integrated account, which is erased later, or at once, with all its data."""
    return {"id": services().account_deletion.delete(environment(), id, erase_at_once=query["erase"], seen=if_match())}


@own_accounts.serves("GET", answer=schemas.Account, documented=_ABSENT)
def get_own_account() -> Answer:
    """Show the token's account."""
    return _show(services().accounts.get(environment(), _own_id()))


@own_accounts.serves("PATCH", body=schemas.OwnAccountPatch, answer=schemas.Account)
def update_own_account(body: Body) -> Answer:
    """Change credentials of the token's account: values that its integration's credentials ask for."""
    return _show(services().accounts.update_own(environment(), _own_id(), body.fields, body.faults))


def _own_id() -> str:
    id = own_account()
    if id is None:
        raise NotFoundError(KIND, "me", "this is an API token, and POST /integrated-account/token makes an account's")
    return id


def _judge_overrides(body: Body, account: IntegratedAccount) -> None:
    """Add what is unknown in an account's overrides to the answer's warnings."""
    override, mappings = body.fields.get("integration_override"), body.fields.get("unified_model_override")
    if override:
        name = "integration_override"
        names = services().known_names
        body.judge(names.judge_override(environment(), account.integration_id, override, name))
    if mappings:
        body.judge(known_names.judge_mapping_overrides(mappings, "unified_model_override"))


def _offering(id: str) -> Offering:
    return services().calls.offers.describe_account(environment(), id)


def _can_match(query: JsonObject) -> bool:
    """Whether any account can match a query; takes the filters of features and sandboxes out, which none has."""
    asked = [query.pop(name) for name in list(query) if name.partition("[")[0] == schemas.FEATURE]
    flags = [query.pop(name) for name in list(query) if name.partition("[")[0] == schemas.IS_SANDBOX]
    return not asked and all(False in (flag if isinstance(flag, list) else [flag]) for flag in flags)


def _show(account: IntegratedAccount) -> JsonObject:
    return _show_with(account, read_embeddings([account]))


def _show_with(account: IntegratedAccount, embedded: Embeddings) -> JsonObject:
    shown: JsonObject = {
        **asdict(account),
        "context": services().credentials.shown_contexts.mask(account),
        "integration_override": redact_config(account.integration_override),
        "is_sandbox": False,
    }
    held = embedded.get(account.integration_id)
    if held is None:
        return shown
    return {
        **shown,
        "integration": show_integration(held.integration),
        "environment_integration_id": held.installed.id if held.installed else None,
        **_installation(held.installed),
    }


def _installation(installed: EnvironmentIntegration | None) -> JsonObject:
    """Show an account's installation, except to the account's own holder."""
    if own_account() is not None:
        return {}
    return {"environment_integration": show_installation(installed) if installed else None}
