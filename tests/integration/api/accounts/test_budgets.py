"""The budget of an account over the API, and what a run waits for, while the broker is away."""

from tests.integration.api.calling import Caller, Catalog


def test_budget_that_can_not_be_reached_says_so_and_is_not_reset(api: Caller, catalog: Catalog) -> None:
    place = f"/integrated-account/{catalog.account['id']}/budget"

    shown, reset = api.get(place), api.delete(place)

    known = ("is_shared", "is_reachable", "is_known", "parked_runs")
    assert (shown.status, [shown.body[name] for name in known]) == (200, [True, False, False, []])
    assert (reset.status, reset.headers["Retry-After"]) == (503, "2")
    assert "rate budgets can not be reached" in reset.body["message"]


def test_budget_and_waits_are_those_of_ones_own_environment(api: Caller, stranger: Caller, catalog: Catalog) -> None:
    run = api.post("/sync-job-run", catalog.run_body).body
    places = [f"/integrated-account/{catalog.account['id']}/budget", f"/sync-job-run/{run['id']}/waits"]

    found = [stranger.get(place).status for place in places]

    assert (found, stranger.delete(places[0]).status) == ([404, 404], 404)


def test_run_that_nobody_can_be_told_of_waits_for_the_broker(api: Caller, catalog: Catalog) -> None:
    run = api.post("/sync-job-run", catalog.run_body).body

    found = api.get(f"/sync-job-run/{run['id']}/waits").body

    assert [(wait["kind"], wait["message"]) for wait in found["waits"]] == [
        ("broker", "the broker, to which nothing can be published; it goes on by itself once that is over")
    ]
    assert (found["id"], found["status"], found["seconds"], found["is_slow"]) == (run["id"], "created", None, False)
    assert found["resources"] == [
        {
            **{"resource": "users", "method": "list", "status": "waiting", "requests": 0, "latency_ms": None},
            **{"usual_latency_ms": None, "requests_per_second": None, "silent_seconds": None, "is_slow": False},
        }
    ]


def test_record_is_found_by_its_id(api: Caller, catalog: Catalog) -> None:
    query = {"integrated_account_id": catalog.account["id"], "resource": "users", "id": "u-1"}

    assert api.get("/record", **query).body["result"] == []
