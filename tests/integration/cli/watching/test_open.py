"""``ferryman open``: the page of an id's kind, in the browser where there is one."""

import json
import stat
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from click.testing import CliRunner, Result

from app.cli.main import main
from tests.integration.cli.watching.conftest import Watched
from tests.support.patience import wait_for

NO_DISPLAY = {"DISPLAY": "", "WAYLAND_DISPLAY": "", "BROWSER": ""}


def open_page(watched: Watched, *arguments: str, **variables: str) -> Result:
    environment = {"FERRYMAN_URL": watched.api.url, "FERRYMAN_TOKEN": watched.api.token, **NO_DISPLAY, **variables}
    return CliRunner(env=environment).invoke(main, ["open", *arguments])


def test_page_is_that_of_the_ids_kind(watched: Watched, run_id: str) -> None:
    ids = {
        "runs": run_id,
        "accounts": watched.sync.account_id,
        "jobs": watched.sync.job_id,
        "webhooks": watched.webhook_id,
    }

    for page, id in ids.items():
        told = open_page(watched, id)
        assert (told.exit_code, told.stdout) == (0, f"{watched.api.url}/ui/{page}/{id}\n")


def test_page_of_a_destination(watched: Watched) -> None:
    client = watched.api.client
    config = {"host": "db.example.com", "database": "d", "user": "u", "password": "p"}
    datastore = client.post("/datastore", {"type": "postgres", "name": "lake", "config": config})
    id = client.post("/destination", {"datastore_id": datastore["id"]})["id"]

    assert json.loads(open_page(watched, id, "--json").stdout) == {
        "url": f"{watched.api.url}/ui/destinations/{id}",
        "is_opened": False,
    }


def test_browser_gets_a_link_that_signs_in_and_leads_there(watched: Watched, tmp_path: Path) -> None:
    browser, told = tmp_path / "browser", tmp_path / "told"
    browser.write_text(f'#!/bin/sh\necho "$1" > {told}\n')
    browser.chmod(browser.stat().st_mode | stat.S_IXUSR)

    printed = open_page(watched, watched.sync.account_id, BROWSER=str(browser)).stdout
    link = urlsplit(wait_for(lambda: told.read_text() if told.exists() else "").strip())

    asked = dict(parse_qsl(link.query))
    assert (link.path, asked["next"]) == ("/ui/sign-in", f"/ui/accounts/{watched.sync.account_id}")
    assert asked["code"] not in printed


@pytest.mark.parametrize("id", ["nobody", "3f2a9c1e-0d4b-4c6a-9b1e-5d7f8a6c2b10"])
def test_unknown_id_is_one_sentence(watched: Watched, id: str) -> None:
    told = open_page(watched, id)

    assert told.exit_code == 1
    assert f"run, account, job, webhook or destination '{id}'" in told.stderr.replace('"', "'")
