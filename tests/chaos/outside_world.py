"""The world around Ferryman, as a process: upstreams whose every record follows from its id, receivers, and ledgers.

``python -m tests.chaos.outside_world --fd N``. A path's first part names a world: ``<seed>-<anything>``.
"""

import asyncio
import hashlib
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache

import orjson
from aiohttp import web

from app.demo.serving import serve
from app.engine.json_types import JSON, JsonObject

PARENTS = 420
PARENT_PAGE = 20
CHILD_PAGE = 25
FEW = 30
PARENT_DELAY_SECONDS = 0.12
CHILD_DELAY_SECONDS = 0.03
WEBHOOK_DELAY_SECONDS = 0.01


def record(seed: str, id: str) -> JsonObject:
    """Derive a record from its id."""
    return {"id": id, "digest": hashlib.sha256(f"{seed}:{id}".encode()).hexdigest(), "words": id.split("-") * 2}


@lru_cache(maxsize=1)
def parents() -> list[str]:
    """List the ids of all parents."""
    return [f"p-{number}" for number in range(PARENTS)]


@cache
def children_of(parent: str) -> list[str]:
    """List the ids of a parent's children: none to a hundred, so up to four pages."""
    return [f"{parent}-c-{number}" for number in range(int(parent.partition("-")[2]) * 37 % 101)]


@lru_cache(maxsize=8)
def everything(seed: str) -> dict[str, dict[str, JsonObject]]:
    """Give all records that a world holds, by resource and id."""
    ids = {"parents": parents(), "children": [child for parent in parents() for child in children_of(parent)]}
    return {resource: {id: record(seed, id) for id in names} for resource, names in ids.items()}


def pages_of(resource: str, ids: Sequence[str]) -> Iterator[str]:
    """Name each page that a full pass over a listing asks for."""
    for start in range(0, max(len(ids), 1), PARENT_PAGE if resource == "parents" else CHILD_PAGE):
        yield f"{resource}@{start}"


@lru_cache(maxsize=1)
def all_pages() -> frozenset[str]:
    """Name every page of a world, as its ledger does."""
    children = {f"{parent}/{page}" for parent in parents() for page in pages_of("children", children_of(parent))}
    return frozenset({f"/{page}" for page in pages_of("parents", parents())} | children)


@dataclass(slots=True)
class World:
    """What one upstream was asked for, and what one receiver was sent."""

    asked: Counter[str] = field(default_factory=Counter)
    last_asked: float = field(default_factory=time.monotonic)
    events: list[tuple[str, str]] = field(default_factory=list)
    """Delivery id and event of each delivery, in the order of their coming."""
    carriers: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Under which delivery ids each record came, by ``resource/id``."""
    bodies: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Digests of the bodies that came under each delivery id."""
    numbers: list[tuple[int | None, int]] = field(default_factory=list)
    """What each new batch of records gave as the number before its own, and its own."""
    wrong: list[str] = field(default_factory=list)
    served: list[tuple[float, int]] = field(default_factory=list)
    """When how many records were served for the first time, on this machine's monotonic clock."""
    received: list[tuple[float, int]] = field(default_factory=list)
    """When how many records came to the receiver for the first time."""

    def summary(self) -> JsonObject:
        """Tell all of it."""
        return {
            "asked": self.asked,
            "events": self.events,
            "carried": sorted(self.carriers),
            "carried_twice": {name: sorted(ids) for name, ids in self.carriers.items() if len(ids) > 1},
            "changed_bodies": [id for id, digests in self.bodies.items() if len(digests) > 1],
            "wrong": self.wrong,
            "numbers": self.numbers,
            "served": self.served,
            "received": self.received,
        }

    def counts(self) -> JsonObject:
        """Tell the totals alone."""
        idle_seconds = time.monotonic() - self.last_asked
        return {
            "asked": self.asked.total(),
            "pages": len(self.asked),
            "events": len(self.events),
            "idle_seconds": idle_seconds,
        }


class OutsideWorld:
    """The handlers of all worlds."""

    def __init__(self) -> None:
        self._worlds: defaultdict[str, World] = defaultdict(World)

    async def list_parents(self, request: web.Request) -> web.Response:
        """Give a page of parents, of all or of those whose numbers are within a range."""
        lower, upper = (request.query.get(name) for name in ("from", "to"))
        ids = parents()[int(lower or 0) : None if upper is None else int(upper)]
        part = f"{lower or ''}..{upper or ''}" if lower or upper else ""
        return await self._page(request, f"parents{part}", "", ids, PARENT_PAGE, PARENT_DELAY_SECONDS)

    async def list_children(self, request: web.Request) -> web.Response:
        """Give a page of one parent's children."""
        parent = request.query["parent"]
        return await self._page(request, "children", parent, children_of(parent), CHILD_PAGE, CHILD_DELAY_SECONDS)

    async def list_few(self, request: web.Request) -> web.Response:
        """Give the only page of a small listing."""
        return await self._page(request, "few", "", parents()[:FEW], FEW, CHILD_DELAY_SECONDS)

    async def receive(self, request: web.Request) -> web.Response:
        """Take a delivery in."""
        name, id, content = request.match_info["world"], request.headers["webhook-id"], await request.read()
        world, body = self._worlds[name], orjson.loads(content)
        is_new = id not in world.bodies
        world.events.append((id, body["event"]))
        world.bodies[id].add(hashlib.sha256(content).hexdigest())
        records = body["payload"].get("records", ())
        for given in records:
            world.carriers[f"{body['payload']['resource']}/{given['id']}"].add(id)
            if given != record(_seed(name), given["id"]):
                world.wrong.append(given["id"])
        if is_new and records:
            world.numbers.append((body["previous_sequence"], body["sequence"]))
            world.received.append((time.monotonic(), len(records)))
        await asyncio.sleep(WEBHOOK_DELAY_SECONDS)
        return _answer({})

    async def show_ledger(self, request: web.Request) -> web.Response:
        """Tell what was asked and what came."""
        return _answer(self._worlds[request.match_info["world"]].summary())

    async def show_counts(self, request: web.Request) -> web.Response:
        """Tell how much was asked."""
        return _answer(self._worlds[request.match_info["world"]].counts())

    async def forget(self, request: web.Request) -> web.Response:
        """Let a world go whose run is over."""
        self._worlds.pop(request.match_info["world"], None)
        return _answer({})

    async def _page(
        self, request: web.Request, resource: str, parent: str, ids: Sequence[str], size: int, delay: float
    ) -> web.Response:
        name, start = request.match_info["world"], _read_start(request, size)
        world, page = self._worlds[name], f"{parent}/{resource}@{start}"
        end = start + size
        world.last_asked = time.monotonic()
        if start < max(len(ids), 1):
            # How far behind its end a list is asked for is no matter of repeats.
            world.asked[page] += 1
        if world.asked[page] == 1:
            world.served.append((world.last_asked, len(ids[start:end])))
        await asyncio.sleep(delay)
        data = [record(_seed(name), id) for id in ids[start:end]]
        return _answer({"data": data, "next_cursor": str(end) if end < len(ids) else None, "total": len(ids)})


def _read_start(request: web.Request, size: int) -> int:
    query = request.query
    return (int(query["page"]) - 1) * size if "page" in query else int(query.get("offset") or query.get("cursor") or 0)


def _answer(value: JSON) -> web.Response:
    return web.Response(body=orjson.dumps(value), content_type="application/json")


def _seed(world: str) -> str:
    return world.partition("-")[0]


def make_app() -> web.Application:
    """Make a world of worlds."""
    outside = OutsideWorld()
    app = web.Application(client_max_size=32 * 1024 * 1024)
    app.router.add_get("/{world}/parents", outside.list_parents)
    app.router.add_get("/{world}/children", outside.list_children)
    app.router.add_get("/{world}/few", outside.list_few)
    app.router.add_post("/{world}/hook", outside.receive)
    app.router.add_get("/{world}/ledger", outside.show_ledger)
    app.router.add_get("/{world}/counts", outside.show_counts)
    app.router.add_delete("/{world}", outside.forget)
    return app


if __name__ == "__main__":
    serve(make_app())
