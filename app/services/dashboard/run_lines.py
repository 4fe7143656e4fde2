"""What a list of runs shows of each, and one page of it with a count."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.engine.status import RunStatus

MOST_COUNTED: Final = 10_000
"""A search counts no further: a count costs a read of each row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """One run of a list."""

    id: str
    status: RunStatus
    job_id: str
    job_label: str | None
    """None: the job is gone."""
    integration: str | None
    account_id: str
    tenant_id: str | None
    """None: the account is gone."""
    fetched: int
    errors: int
    """Those of requests and records that were not mended since."""
    error_code: str | None
    """Of its end."""
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLines:
    """A page of a search, newest first."""

    runs: Sequence[RunLine]
    count: int
    """How many match; ``MOST_COUNTED`` where there are more."""
    is_capped: bool
    next_cursor: str | None
