"""What people call things that a list knows by their ids."""

from collections.abc import Iterable, Mapping, Sequence

from app.api.resources.services import environment, services
from app.engine.objects.lists import ListFilters


def name_jobs(ids: Iterable[str]) -> Mapping[str, str]:
    """Return the labels of jobs by their ids, without those that are gone."""
    wanted = _one_each(ids)
    found = services().jobs.list(environment(), _filter(wanted)).result if wanted else ()
    return {job.id: job.label or job.id[:8] for job in found}


def name_accounts(ids: Iterable[str]) -> Mapping[str, str]:
    """Return the tenants of accounts by the accounts' ids, without those that are gone."""
    wanted = _one_each(ids)
    found = services().accounts.list(environment(), _filter(wanted)).result if wanted else ()
    return {account.id: account.tenant_id for account in found}


def _one_each(ids: Iterable[str]) -> Sequence[str]:
    return list(dict.fromkeys(ids))


def _filter(ids: Sequence[str]) -> ListFilters:
    return ListFilters(among=[("id", ids)], limit=len(ids))
