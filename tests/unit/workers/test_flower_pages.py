"""What Flower shows of tasks, and that each of its buttons does what it says or says why not."""

import asyncio
import inspect
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from flower.api import control, tasks
from flower.views import broker as broker_pages
from flower.views import tasks as task_pages

from app.engine.ids import new_id
from workers import flower_pages

RUN, UNIT = new_id(), new_id()


def handlers() -> list[Any]:
    """All of Flower's handlers that change something."""
    found = [one for module in (control, tasks) for one in vars(module).values() if inspect.isclass(one)]
    return [one for one in found if one.__module__ in (control.__name__, tasks.__name__) and "post" in vars(one)]


@pytest.fixture(autouse=True)
def flower() -> Iterator[None]:
    """Flower as Ferryman has it, and as it was once the test is over."""
    posts, labels = {one: one.post for one in handlers()}, dict(task_pages.TASK_COLUMNS)
    names = broker_pages.BrokerView.get_active_queue_names
    control.TaskRevoke.post = revoke_anything
    flower_pages.adapt()
    yield
    for one, post in posts.items():
        one.post = post
    task_pages.TASK_COLUMNS.clear()
    task_pages.TASK_COLUMNS.update(labels)
    broker_pages.BrokerView.get_active_queue_names = names


async def revoke_anything(page: Any, task_id: str) -> None:
    page.revoked.append(task_id)


def page(state: str = "RECEIVED", *, terminate: bool = False) -> Any:
    """A request by somebody who may ask, about a task that is in some state."""
    known = {"task": SimpleNamespace(state=state)}
    application = SimpleNamespace(events=SimpleNamespace(state=SimpleNamespace(tasks=known)))
    return SimpleNamespace(
        current_user="ferryman", application=application, get_argument=lambda *_, **__: terminate, revoked=[]
    )


def refusal(handler: Any, asked: Any) -> str:
    with pytest.raises(control.web.HTTPError) as refused:
        asyncio.run(handler.post(asked, "task"))
    assert refused.value.status_code == 403
    return str(refused.value.log_message)


def test_every_button_but_revoke_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FERRYMAN_MESSAGE_KEY", "k" * 32)
    others = [one for one in handlers() if one is not control.TaskRevoke]

    assert len(others) > 10
    assert all(len(refusal(one, page())) > 20 for one in others)


@pytest.mark.parametrize(
    ("key", "asked", "why"),
    [
        ("", page(), "FERRYMAN_MESSAGE_KEY"),
        ("k" * 32, page(terminate=True), "never terminated"),
        ("k" * 32, page("STARTED"), "has begun"),
        ("k" * 32, page("SUCCESS"), "has begun, or ended"),
    ],
    ids=["no key", "terminate", "started", "ended"],
)
def test_revoke_of_what_daemons_go_on_with_is_refused(
    monkeypatch: pytest.MonkeyPatch, key: str, asked: Any, why: str
) -> None:
    monkeypatch.setenv("FERRYMAN_MESSAGE_KEY", key)

    assert why in refusal(control.TaskRevoke, asked)
    assert asked.revoked == []


def test_revoke_of_what_waits_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FERRYMAN_MESSAGE_KEY", "k" * 32)
    asked = page()

    asyncio.run(control.TaskRevoke.post(asked, "task"))

    assert asked.revoked == ["task"]


@pytest.mark.parametrize(
    "args", [f"('{RUN}', '{UNIT}')", f"['{RUN}', '{UNIT}']", f"('{RUN}',)"], ids=["tuple", "list", "alone"]
)
@pytest.mark.parametrize(("state", "what"), [("SUCCESS", "nothing was left to do"), ("RECEIVED", "")])
def test_task_shows_its_run_though_nothing_was_told_of_it(args: str, state: str, what: str) -> None:
    shown = flower_pages.show_task(SimpleNamespace(args=args, kwargs="{}", state=state))

    assert (shown.args, shown.kwargs) == (f"run {RUN}", what)


def test_what_a_daemon_has_told_is_shown_as_it_is() -> None:
    told = SimpleNamespace(args=f"run {RUN}", kwargs="users list, account a", state="STARTED")

    assert vars(flower_pages.show_task(SimpleNamespace(**vars(told)))) == vars(told)
    assert task_pages.TASK_COLUMNS["kwargs"] == "Resource and account"


@pytest.mark.parametrize("is_known", [True, False])
def test_broker_page_shows_the_queues_that_daemons_share(*, is_known: bool) -> None:
    queues = [{"name": "daemon-group.eu"}, {"name": "daemon.d-1"}, {"name": "rapid-bridge"}]
    workers = {"eu-1@host": {"active_queues": queues if is_known else []}, "new": {}}

    names = broker_pages.BrokerView.get_active_queue_names(
        SimpleNamespace(application=SimpleNamespace(workers=workers))
    )

    assert names == [*(["daemon-group.eu"] if is_known else []), "daemon-pulses", "rapid-bridge"]
