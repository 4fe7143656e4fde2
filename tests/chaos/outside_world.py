"""The world around Ferryman, as a process: upstreams whose every record follows from its id, receivers, and ledgers.

``python -m tests.chaos.outside_world --fd N``. A path's first part names a world: ``<seed>-<anything>``.
"""

import asyncio
import hashlib
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from aiohttp import web

from app.demo.serving import serve
from app.engine.json_types import JsonObject

PARENTS = 500
PARENT_PAGE = 20
CHILD_PAGE = 5
PARENT_DELAY_SECONDS = 0.12
CHILD_DELAY_SECONDS = 0.03
WEBHOOK_DELAY_SECONDS = 0.02


def record(seed: str, id: str) -> JsonObject:
    """Derive a record from its id."""
    return {"id": id, "digest": hashlib.sha256(f"{seed}:{id}".encode()).hexdigest(), "words": id.split("-") * 5}


def parents() -> list[str]:
    """List the ids of all parents."""
    return [f"p-{number}" for number in range(PARENTS)]


def children_of(parent: str) -> list[str]:
    """List the ids of a parent's children: none to eleven, so up to three pages."""
    return [f"{parent}-c-{number}" for number in range(int(parent.partition("-")[2]) * 7 % 12)]


def everything(seed: str) -> dict[str, dict[str, JsonObject]]:
    """Give all records that a world holds, by resource and id."""
    ids = {"parents": parents(), "children": [child for parent in parents() for child in children_of(parent)]}
    return {resource: {id: record(seed, id) for id in names} for resource, names in ids.items()}


def pages_of(resource: str, ids: Sequence[str]) -> Iterator[str]:
    """Name each page that a full pass over a listing asks for."""
    for start in range(0, max(len(ids), 1), PARENT_PAGE if resource == "parents" else CHILD_PAGE):
        yield f"{resource}@{start}"


def all_pages() -> set[str]:
    """Name every page of a world, as its ledger does."""
    children = {f"{parent}/{page}" for parent in parents() for page in pages_of("children", children_of(parent))}
    return {f"/{page}" for page in pages_of("parents", parents())} | children


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
    wrong: list[str] = field(default_factory=list)

    def summary(self) -> JsonObject:
        """Tell all of it."""
        return {
            "asked": self.asked,
            "events": self.events,
            "carriers": {name: sorted(ids) for name, ids in self.carriers.items()},
            "changed_bodies": [id for id, digests in self.bodies.items() if len(digests) > 1],
            "wrong": self.wrong,
        }

    def counts(self) -> JsonObject:
        """Tell the totals alone."""
        idle_seconds = time.monotonic() - self.last_asked
        return {"asked": self.asked.total(), "pages": len(self.asked), "idle_seconds": idle_seconds}


class OutsideWorld:
    """The handlers of all worlds."""

    def __init__(self) -> None:
        self._worlds: defaultdict[str, World] = defaultdict(World)

    async def list_parents(self, request: web.Request) -> web.Response:
        """Give a page of parents."""
        return await self._page(request, "parents", "", parents(), PARENT_PAGE, PARENT_DELAY_SECONDS)

    async def list_children(self, request: web.Request) -> web.Response:
        """Give a page of one parent's children."""
        parent = request.query["parent"]
        return await self._page(request, "children", parent, children_of(parent), CHILD_PAGE, CHILD_DELAY_SECONDS)

    async def receive(self, request: web.Request) -> web.Response:
        """Take a delivery in."""
        name, id, content = request.match_info["world"], request.headers["webhook-id"], await request.read()
        world, body = self._worlds[name], await request.json()
        world.events.append((id, body["event"]))
        world.bodies[id].add(hashlib.sha256(content).hexdigest())
        for given in body["payload"].get("records", ()):
            world.carriers[f"{body['payload']['resource']}/{given['id']}"].add(id)
            if given != record(_seed(name), given["id"]):
                world.wrong.append(given["id"])
        await asyncio.sleep(WEBHOOK_DELAY_SECONDS)
        return web.json_response({})

    async def show_ledger(self, request: web.Request) -> web.Response:
        """Tell what was asked and what came."""
        return web.json_response(self._worlds[request.match_info["world"]].summary())

    async def show_counts(self, request: web.Request) -> web.Response:
        """Tell how much was asked."""
        return web.json_response(self._worlds[request.match_info["world"]].counts())

    async def _page(
        self, request: web.Request, resource: str, parent: str, ids: Sequence[str], size: int, delay: float
    ) -> web.Response:
        world, start = self._worlds[request.match_info["world"]], int(request.query.get("cursor", "0"))
        world.asked[f"{parent}/{resource}@{start}"] += 1
        world.last_asked = time.monotonic()
        await asyncio.sleep(delay)
        data = [record(_seed(request.match_info["world"]), id) for id in ids[start : start + size]]
        end = start + size
        return web.json_response({"data": data, "next_cursor": str(end) if end < len(ids) else None})


def _seed(world: str) -> str:
    return world.partition("-")[0]


def make_app() -> web.Application:
    """Make a world of worlds."""
    outside = OutsideWorld()
    app = web.Application(client_max_size=32 * 1024 * 1024)
    app.router.add_get("/{world}/parents", outside.list_parents)
    app.router.add_get("/{world}/children", outside.list_children)
    app.router.add_post("/{world}/hook", outside.receive)
    app.router.add_get("/{world}/ledger", outside.show_ledger)
    app.router.add_get("/{world}/counts", outside.show_counts)
    return app


if __name__ == "__main__":
    serve(make_app())
