"""Jobs that runs were made of lately, so that the next run of one need not read it.

A job may have changed since in another process. So what is known only supposes: who writes a run of it has Postgres
compare the version of the job's row within the statement that writes.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.engine.jobs.items import ResourceItem
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.jobs import SyncJob

_MOST_KNOWN: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedJob:
    """A job as it was read, and what follows from it alone."""

    job: SyncJob
    version: str
    """Of the job's row: another one after each change."""
    items: Sequence[ResourceItem]
    """Parents before their children."""


class JobCache:
    """The jobs that were used last; safe to use from several threads."""

    def __init__(self, *, most: int = _MOST_KNOWN) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._jobs: OrderedDict[tuple[EnvironmentId, str], CachedJob] = OrderedDict()

    def note(self, known: CachedJob) -> None:
        """Remember a job in the place of what was known of it; forget the one that was not used for longest."""
        key = (known.job.environment_id, known.job.id)
        with self._lock:
            self._jobs[key] = known
            self._jobs.move_to_end(key)
            if len(self._jobs) > self._most:
                self._jobs.popitem(last=False)

    def find(self, environment_id: EnvironmentId, job_id: str) -> CachedJob | None:
        """Return what is known of a job of an environment."""
        with self._lock:
            known = self._jobs.get((environment_id, job_id))
            if known is not None:
                self._jobs.move_to_end((environment_id, job_id))
            return known
