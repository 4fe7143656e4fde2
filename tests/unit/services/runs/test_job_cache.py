"""Which jobs a process remembers."""

from app.services.runs.drafts import JobCache
from app.services.runs.requests import CachedJob
from tests.unit.services.service_tables import ELSEWHERE, ENVIRONMENT, sync_job


def known(id: str, version: str = "1") -> CachedJob:
    return CachedJob(job=sync_job(id=id), version=version, items=[])


def test_the_newest_version_of_a_job_is_known_in_its_environment() -> None:
    jobs = JobCache()
    jobs.put(known("a"))
    jobs.put(known("a", version="2"))

    assert jobs.find(ENVIRONMENT, "a") == known("a", version="2")
    assert jobs.find(ENVIRONMENT, "b") is None
    assert jobs.find(ELSEWHERE, "a") is None


def test_the_job_that_was_not_used_for_longest_is_dropped() -> None:
    jobs = JobCache(most=2)
    jobs.put(known("a"))
    jobs.put(known("b"))
    jobs.find(ENVIRONMENT, "a")
    jobs.put(known("c"))

    assert [jobs.find(ENVIRONMENT, id) is not None for id in "abc"] == [True, False, True]
