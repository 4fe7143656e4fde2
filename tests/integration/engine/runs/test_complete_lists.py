"""What the ends of lists mean for a run: its books, its warnings, and above all what it deletes."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import pytest

from app.engine.json_types import JsonObject
from tests.support.listings import configs
from tests.support.listings.cases import CASES, Case
from tests.support.listings.customer import Customer, Ran
from tests.support.listings.listing import Fault, Kind, Last, Listing, honest, ids
from tests.support.listings.reading import reference
from tests.support.listings.site import Place, Site
from tests.support.pump_database import PumpDatabase
from tests.support.workspace import child_of, listed

IS_LONG: Final = os.environ.get("PROOFS") == "long"
TRACKED: Final = {"delete_tracking": "soft"}
GONE: Final = ["gone1", "gone2", "gone3"]
"""Records that the upstream holds no more at the second run."""


def of_kind(kind: Kind) -> dict[str, Case]:
    """Name the cases of a kind, each to be a resource of one job; in the suite only every seventh."""
    cases = [one for one in CASES if one.listing.kind is kind][:: 1 if IS_LONG else 7]
    return {f"list{number}": one for number, one in enumerate(cases)}


@pytest.mark.parametrize("kind", Kind)
def test_only_a_list_that_is_read_to_a_proven_end_deletes(pump_database: PumpDatabase, kind: Kind) -> None:
    cases = of_kind(kind)
    methods = {name: configs.method(one.listing, f"/{name}") for name, one in cases.items()}
    before: dict[tuple[str, str | None], Listing] = {
        (f"/{name}", None): honest(one.listing, [*one.listing.ids, *GONE]) for name, one in cases.items()
    }

    with Customer(pump_database, [listed(name, **TRACKED) for name in cases], methods) as customer:
        first = customer.run(Site(before))
        second = customer.run(Site({(f"/{name}", None): one.listing for name, one in cases.items()}))

    came = {one.id: shown(second, name) for name, one in cases.items()}
    assert came == {one.id: expected(first, one, name) for name, one in cases.items()}


def shown(ran: Ran, resource: str) -> JsonObject:
    stats = ran.stats(resource)
    return {
        "errors": ran.errors.get(resource, []),
        "deleted": sorted(ran.deleted.get(resource, ())),
        "living": len(ran.living.get(resource, ())),
        "unproven": stats["unproven"],
        "warnings": sorted(stats["warnings"]),
    }


def expected(first: Ran, one: Case, resource: str) -> JsonObject:
    """Say by the reference reader what becomes of the records that an honest list has brought before."""
    held = first.living.get(resource, set())
    reading = reference(one.listing, tracks=True, has_paged=first.stats(resource)["pages"] > 1)
    gone = held - set(reading.records) if reading.is_proven else set()
    return {
        "errors": [reading.error] if reading.error else [],
        "deleted": sorted(gone),
        "living": len((held | set(reading.records)) - gone),
        "unproven": int(reading.error is None and not reading.is_proven),
        "warnings": sorted(reading.warnings),
    }


TEN: Final = Listing(kind=Kind.PAGE, rows=ids(10), sizes=(1,), limit=1)


@pytest.mark.parametrize("status", [400, 404, 416, 422, 500])
def test_one_refused_page_of_ten_deletes_nothing(pump_database: PumpDatabase, status: int) -> None:
    refused = Listing(kind=Kind.PAGE, rows=ids(10), sizes=(1,), limit=1, faults=[Fault(page=8, what=status)])

    ran = twice(pump_database, TEN, refused)

    assert (ran.errors, ran.deleted, len(ran.living["things"])) == ({"things": [f"http_{status}"]}, {}, 10)
    assert ran.run.status == "completed"


def test_unproven_end_is_counted_and_told_and_deletes_nothing(pump_database: PumpDatabase) -> None:
    fewer = Listing(kind=Kind.PAGE, rows=ids(6), sizes=(1,), limit=1, past_end=404)

    ran = twice(pump_database, TEN, fewer)

    stats = ran.stats("things")
    assert (stats["unproven"], stats["fetched"], ran.errors, ran.deleted) == (1, 6, {}, {})
    assert stats["warnings"]["unproven_end"]["count"] == 1
    assert "refused two positions" in stats["warnings"]["unproven_end"]["message"]


@pytest.mark.parametrize("kind", [Kind.PAGE, Kind.CURSOR])
def test_304_says_that_nothing_has_changed_and_so_deletes_nothing(pump_database: PumpDatabase, kind: Kind) -> None:
    whole = Listing(kind=kind, rows=ids(4), sizes=(2,), limit=2)
    unchanged = replace(whole, faults=[Fault(page=0, what=304)])
    method = {**configs.method(whole, "/things"), "headers": {"If-Modified-Since": "2026-01-01T00:00:00Z"}}

    with Customer(pump_database, [listed("things", **TRACKED)], {"things": method}) as customer:
        customer.run(Site({("/things", None): whole}))
        ran = customer.run(Site({("/things", None): unchanged}))

    assert (ran.errors, ran.deleted, len(ran.living["things"])) == ({}, {}, 4)
    assert (ran.stats("things")["unproven"], [*ran.stats("things")["warnings"]]) == (1, ["unproven_end"])


def test_totals_are_shown_and_a_shortfall_is_an_error(pump_database: PumpDatabase) -> None:
    whole = Listing(kind=Kind.PAGE, rows=ids(10), sizes=(2,), limit=2, told="exact")
    short = Listing(kind=Kind.PAGE, rows=ids(9), sizes=(2,), limit=2, told="large")

    ran = twice(pump_database, whole, short)

    assert (ran.stats("things")["expected"], ran.errors, ran.deleted) == (10, {"things": ["incomplete"]}, {})


def twice(database: PumpDatabase, before: Listing, after: Listing, **settings: Any) -> Ran:
    """Run over one list, and again over what it has become."""
    method = configs.method(after, "/things")
    with Customer(database, [listed("things", **TRACKED)], {"things": method}, **settings) as customer:
        customer.run(Site({("/things", None): before}))
        return customer.run(Site({("/things", None): after}))


POINTED: Final = Listing(kind=Kind.CURSOR, rows=ids(6), sizes=(2,), limit=2)


def test_list_whose_cursor_expires_is_requested_again_and_its_books_balance(pump_database: PumpDatabase) -> None:
    before, fewer = replace(POINTED, rows=ids(10)), replace(POINTED, faults=[Fault(page=2, what=422, times=1)])

    ran = twice(pump_database, before, fewer)

    stats = ran.stats("things")
    assert (ran.errors, ran.deleted["things"], len(ran.living["things"])) == ({}, set(ids(10)[6:]), 6)
    assert (stats["fetched"], stats["unchanged"], stats["repeated"], stats["unproven"]) == (10, 10, 0, 0)
    assert stats["warnings"]["cursor_expired"]["count"] == 1
    assert "cursor of page 3 (422)" in stats["warnings"]["cursor_expired"]["message"]


def test_resume_requests_a_list_again_whose_cursor_is_dead(pump_database: PumpDatabase) -> None:
    dead = replace(POINTED, faults=[Fault(page=2, what=410)])
    restarted = replace(POINTED, faults=[Fault(page=1, what=400, times=1), Fault(page=2, what=500)])
    expired_since = replace(POINTED, faults=[Fault(page=2, what=400, times=1)])
    methods = {name: configs.method(POINTED, f"/{name}") for name in ("things", "late")}
    with Customer(pump_database, [listed(name) for name in methods], methods) as customer:
        failed = customer.run(Site({("/things", None): dead, ("/late", None): restarted}))
        resumed = customer.resume(failed.run.id, Site({("/things", None): POINTED, ("/late", None): expired_since}))

    assert failed.errors == {"things": ["http_410"], "late": ["http_500"]}
    assert cursors_of(resumed, "/things") == [None, "c1", "c2"]
    assert cursors_of(resumed, "/late") == ["c2", None, "c1", "c2"]
    assert {name: len(records) for name, records in resumed.living.items()} == {"things": 6, "late": 6}


@pytest.mark.parametrize(("changes_only", "sent"), [(False, 10), (True, 6)])
def test_webhook_receives_a_list_again_unless_it_takes_changes_only(
    pump_database: PumpDatabase, changes_only: bool, sent: int
) -> None:
    listing = replace(POINTED, faults=[Fault(page=2, what=404, times=1)])
    methods = {"things": configs.method(listing, "/things")}
    with Customer(pump_database, [listed("things")], methods) as customer:
        webhook_id = customer.create_webhook(changes_only=changes_only)
        ran = customer.run(Site({("/things", None): listing}), webhook_id=webhook_id)
        taken = [body["payload"] for _, body in customer.world.receiver.taken]

    assert sum(len(payload.get("records", ())) for payload in taken) == sent
    assert (ran.run.status, ran.stats("things")["fetched"], ran.errors) == ("completed", 10, {})


def cursors_of(ran: Ran, path: str) -> list[str | None]:
    return [asked.query.get("after") for asked in ran.site.requests if asked.path == path]


MOVING: Final = Listing(kind=Kind.PAGE, rows=ids(10), sizes=(2,), limit=2)
IN_TURN: Final[JsonObject] = {"parallel": False}


def moving() -> dict[str, Listing]:
    """Name lists of every kind that move by a page after their first or second page, in turn and side by side."""
    return {
        f"{kind}{after}{'in_turn' if declared else ''}": replace(
            MOVING, kind=kind, content_range="star", moves_after=after, declared=declared
        )
        for kind in Kind
        for after in (1, 2)
        for declared in ((IN_TURN, None) if kind.is_counted else (IN_TURN,))
    }


@pytest.mark.parametrize("kill_before", [0, 24])
def test_list_that_moves_by_a_page_is_read_to_its_end(pump_database: PumpDatabase, kill_before: int) -> None:
    """The next page then holds what the one before it held, whether the daemon goes on or has died."""
    lists = moving()
    methods = {name: configs.method(one, f"/{name}") for name, one in lists.items()}

    with Customer(pump_database, [listed(name, **TRACKED) for name in lists], methods) as customer:
        customer.run(Site({(f"/{name}", None): replace(MOVING, kind=one.kind) for name, one in lists.items()}))
        ran = customer.run(Site({(f"/{name}", None): one for name, one in lists.items()}), kill_before=kill_before)

    missing = {name for name in lists if not ran.living[name] >= set(MOVING.ids)}
    assert (ran.run.status, ran.errors, ran.deleted, missing) == ("completed", {}, {}, set())
    if not kill_before:
        told = {name: ran.stats(name)["unproven"] for name, one in lists.items() if one.declared}
        assert told == dict.fromkeys(told, 1)


PARENTS: Final = ["a", "b", "c"]
CHILD: Final = Listing(kind=Kind.PAGE, rows=[], sizes=(2,), limit=2)


def family(root: Listing, children: Mapping[str, Listing]) -> dict[Place, Listing]:
    return {("/parents", None): root, **{("/things", parent): one for parent, one in children.items()}}


def with_rows(parent: str, count: int, **fields: Any) -> Listing:
    return Listing(kind=Kind.PAGE, rows=ids(count, f"{parent}-"), sizes=(2,), limit=2, **fields)


def grown_up(database: PumpDatabase, root: Listing, child: Listing | None = None) -> Ran:
    """Run over three parents with four children each; then again, when each has lost one, and b's list may be odd."""
    methods = {"parents": configs.method(root, "/parents"), "things": configs.method(CHILD, "/things")}
    items = [listed("parents", **TRACKED), child_of("parents", "things", **TRACKED)]
    whole = {parent: with_rows(parent, 4) for parent in PARENTS}
    fewer = {parent: with_rows(parent, 3) for parent in PARENTS}
    with Customer(database, items, methods) as customer:
        customer.run(Site(family(honest(root, PARENTS), whole)))
        return customer.run(Site(family(root, {**fewer, **({"b": child} if child else {})})))


ROOT: Final = Listing(kind=Kind.PAGE, rows=PARENTS, sizes=(2,), limit=2)


def test_children_of_proven_lists_are_deleted(pump_database: PumpDatabase) -> None:
    ran = grown_up(pump_database, ROOT)

    assert (ran.errors, ran.deleted) == ({}, {"things": {"a-4", "b-4", "c-4"}})


def test_children_of_a_list_that_is_requested_again_are_deleted_rightly(pump_database: PumpDatabase) -> None:
    root = Listing(kind=Kind.CURSOR, rows=PARENTS, sizes=(2,), limit=2, faults=[Fault(page=1, what=400, times=1)])

    ran = grown_up(pump_database, root)

    assert (ran.errors, ran.deleted, ran.run.status) == ({}, {"things": {"a-4", "b-4", "c-4"}}, "completed")
    assert (ran.stats("parents")["fetched"], ran.living["parents"]) == (5, set(PARENTS))


@pytest.mark.parametrize(
    ("child", "error"),
    [
        (with_rows("b", 3, past_end=404), None),
        (with_rows("b", 3, past_end="clamp"), None),
        (with_rows("b", 3, faults=[Fault(page=0, what=404)]), "http_404"),
        (with_rows("b", 3, faults=[Fault(page=1, what=500)]), "http_500"),
        (with_rows("b", 3, ignores_position=True), "repeated_page"),
    ],
    ids=["refused", "clamped", "not-found", "broken", "without-pages"],
)
def test_one_childs_list_without_a_proven_end_keeps_the_children_of_all(
    pump_database: PumpDatabase, child: Listing, error: str | None
) -> None:
    ran = grown_up(pump_database, ROOT, child)

    assert ran.deleted == {}
    assert ran.errors == ({"things": [error]} if error else {})
    assert ran.stats("things")["unproven"] == (0 if error else 1)


@pytest.mark.parametrize(
    "root",
    [
        Listing(kind=Kind.PAGE, rows=PARENTS, sizes=(2,), limit=2, past_end=404),
        Listing(kind=Kind.CURSOR, rows=PARENTS, sizes=(1,), limit=1, last=Last.OWN),
        Listing(kind=Kind.CURSOR, rows=PARENTS, sizes=(1,), limit=1, last=Last.CIRCLE),
        Listing(kind=Kind.OFFSET, rows=PARENTS, sizes=(2,), limit=2, told="large"),
    ],
    ids=["refused", "clamped", "circle", "short-of-its-total"],
)
def test_parents_without_a_proven_end_keep_all_their_children(pump_database: PumpDatabase, root: Listing) -> None:
    ran = grown_up(pump_database, root)

    assert ran.deleted == {}
    assert ran.living["things"] == {f"{parent}-{number}" for parent in PARENTS for number in range(1, 5)}


NODES: Final[Mapping[str | None, Sequence[str]]] = {None: ["a", "b", "x"], "a": ["aa", "y"], "aa": ["aaa", "z"]}


def tree(nodes: Mapping[str | None, Sequence[str]], **deepest: Any) -> Site:
    """Serve folders, one on a page; the fields are those of the deepest one's list."""
    lists: dict[Place, Listing] = {}
    for node, held in nodes.items():
        fields = deepest if node == "aa" else {}
        lists["/things", node] = Listing(kind=Kind.PAGE, rows=held, sizes=(1,), limit=1, **fields)
    return Site(lists)


@pytest.mark.parametrize(
    ("deepest", "is_deleted"),
    [({}, True), ({"past_end": 404}, False), ({"faults": [Fault(page=0, what=500)]}, False)],
    ids=["proven", "refused", "broken"],
)
def test_every_list_of_a_tree_has_to_be_proven(
    pump_database: PumpDatabase, deepest: Mapping[str, Any], is_deleted: bool
) -> None:
    recursion = {"if": "{{resources.things.open:bool}}", "config": {"query": {"parent": "{{resources.things.id}}"}}}
    item = listed("things", **TRACKED, query={"parent": "{{args.top:undefined}}"}, recurse=recursion)
    fewer = {node: list(held)[:-1] for node, held in NODES.items()}

    with Customer(pump_database, [item], {"things": configs.method(CHILD, "/things")}) as customer:
        customer.run(tree(NODES))
        ran = customer.run(tree(fewer, **deepest))

    assert ran.deleted.get("things", set()) == ({"x", "y", "z"} if is_deleted else set())


@pytest.fixture(params=[500, 502, "cut"], ids=str)
def passing(request: pytest.FixtureRequest) -> Iterator[Sequence[Fault]]:
    yield [Fault(page=page, what=request.param, times=1) for page in range(4)]


def test_faults_that_pass_change_nothing_of_the_outcome(pump_database: PumpDatabase, passing: Sequence[Fault]) -> None:
    before = Listing(kind=Kind.CURSOR, rows=ids(8), sizes=(2,), limit=2)
    after = Listing(kind=Kind.CURSOR, rows=ids(7), sizes=(2,), limit=2, faults=passing)

    ran = twice(pump_database, before, after, request_attempts=4)

    assert (ran.errors, ran.deleted, len(ran.living["things"])) == ({}, {"things": {"r8"}}, 7)


SINCE: Final = {"since": "{{previous_run_date:undefined}}"}


def since(ran: Ran, path: str) -> str | None:
    """Return what the first request for a path asked from."""
    return next(asked.query.get("since") for asked in ran.site.requests if asked.path == path)


@pytest.mark.parametrize("page", [0, 1, 2], ids=["first", "middle", "last"])
@pytest.mark.parametrize("kind", [Kind.PAGE, Kind.CURSOR])
def test_unread_page_holds_the_increment_of_its_resource(pump_database: PumpDatabase, kind: Kind, page: int) -> None:
    whole = Listing(kind=kind, rows=ids(6), sizes=(2,), limit=2)
    broken = Listing(kind=kind, rows=ids(6), sizes=(2,), limit=2, faults=[Fault(page=page, what=500)])

    with Customer(pump_database, [listed("things", query=SINCE)], {"things": configs.method(whole, "/things")}) as one:
        one.run(Site({("/things", None): whole}))
        failed = one.run(Site({("/things", None): broken}))
        again = one.run(Site({("/things", None): whole}))
        after = one.run(Site({("/things", None): whole}))

    assert failed.errors == {"things": ["http_500"]}
    assert failed.run.status == ("failed" if page == 0 else "completed")
    assert since(failed, "/things") == since(again, "/things")
    assert since(again, "/things") != since(after, "/things")


def test_unread_page_of_a_child_holds_the_increment_of_its_parents(pump_database: PumpDatabase) -> None:
    methods = {"parents": configs.method(ROOT, "/parents"), "things": configs.method(CHILD, "/things")}
    items = [listed("parents", query=SINCE), child_of("parents", "things")]
    whole = {parent: with_rows(parent, 4) for parent in PARENTS}
    broken = {**whole, "b": with_rows("b", 4, faults=[Fault(page=1, what=500)])}

    with Customer(pump_database, items, methods) as customer:
        customer.run(Site(family(ROOT, whole)))
        failed = customer.run(Site(family(ROOT, broken)))
        again = customer.run(Site(family(ROOT, whole)))

    assert failed.errors == {"things": ["http_500"]}
    assert since(failed, "/parents") == since(again, "/parents")


def test_run_resumed_over_a_healed_upstream_reads_what_was_refused(pump_database: PumpDatabase) -> None:
    refused = Listing(kind=Kind.PAGE, rows=ids(10), sizes=(1,), limit=1, faults=[Fault(page=8, what=404)])

    with Customer(pump_database, [listed("things", **TRACKED)], {"things": configs.method(TEN, "/things")}) as customer:
        failed = customer.run(Site({("/things", None): refused}))
        healed = customer.resume(failed.run.id, Site({("/things", None): TEN}))

    assert failed.living == {"things": set(TEN.ids) - {"r9"}}
    assert healed.living == {"things": set(TEN.ids)}
    # The page that was read before the others were asked for side by side is one of them: it is looked at again.
    assert len(healed.site.requests) <= 5


@pytest.mark.parametrize("kind", [Kind.PAGE, Kind.OFFSET, Kind.CURSOR, Kind.LINK_HEADER])
def test_run_resumed_once_the_upstream_reads_its_parameter_misses_no_page(
    pump_database: PumpDatabase, kind: Kind
) -> None:
    whole = replace(TEN, kind=kind)
    ignoring = replace(whole, ignores_position=True)

    with Customer(pump_database, [listed("things")], {"things": configs.method(whole, "/things")}) as customer:
        failed = customer.run(Site({("/things", None): ignoring}))
        healed = customer.resume(failed.run.id, Site({("/things", None): whole}))

    assert failed.errors == {"things": ["repeated_page"]}
    assert (healed.living, healed.stats("things")["unproven"]) == ({"things": set(TEN.ids)}, 0)
