"""Of an account's context only what is declared to be no secret is shown; masks that come back change nothing."""

import pytest

from app.engine.json_types import JSON, JsonObject
from app.engine.paths import Path
from app.engine.redaction import MASK, choose_entered_paths, choose_shown_paths, redact, remove_plain, restore_masked

SITE: Path = ("site",)
DEEP: Path = ("oauth", "token", "instance_url")


@pytest.mark.parametrize(
    "key", ["api_key", "pat", "pass", "apitoken", "key", "cert", "X-Partner-Key", "hapikey", "site", ""]
)
def test_masks_what_nobody_has_declared_whatever_its_name(key: str) -> None:
    assert redact({key: "canary", "deep": [{key: ["canary", 5]}]}) == {key: MASK, "deep": [{key: [MASK, MASK]}]}


def test_shows_what_is_declared_at_its_path_alone() -> None:
    context = {"site": {"a": ["eu"]}, "oauth": {"token": {"instance_url": "here", "id": "x"}}, "deep": {"site": "y"}}

    shown = redact(context, frozenset({SITE, DEEP}))

    assert shown == {
        "site": {"a": ["eu"]},
        "oauth": {"token": {"instance_url": "here", "id": MASK}},
        "deep": {"site": MASK},
    }


def test_shows_the_shape_and_facts_about_the_token() -> None:
    facts: JsonObject = {"expires_at": 5, "token_type": "bearer", "scope": "read write"}
    context = {**facts, "oauth": {"token": {**facts, "access_token": "a"}}, "on": True, "none": None, "empty": ""}

    assert redact(context) == {**context, "oauth": {"token": {**facts, "access_token": MASK}}}


def test_secret_parts_are_all_that_is_not_declared() -> None:
    context = {"site": "eu", "pat": "p", "oauth": {"token": {"instance_url": "here", "id": ["x"]}}}

    assert remove_plain(context, frozenset({SITE, DEEP})) == {"pat": "p", "oauth": {"token": {"id": ["x"]}}}


@pytest.mark.parametrize(
    ("declared", "entered", "shown"),
    [
        ({SITE}, {SITE}, {SITE}),
        ({SITE}, set(), set()),
        (set(), {SITE}, set()),
        ({SITE, DEEP, ("api_key",), ("secrets", "a")}, None, {SITE, DEEP}),
    ],
    ids=["declared then and now", "declared later", "no more declared", "entered before that was kept"],
)
def test_shows_what_is_declared_and_was_when_it_was_entered(
    declared: set[Path], entered: set[Path] | None, shown: set[Path]
) -> None:
    assert choose_shown_paths(frozenset(declared), None if entered is None else frozenset(entered)) == shown


@pytest.mark.parametrize(
    ("sent", "entered", "after"),
    [
        ({"site": "eu"}, set(), {SITE}),
        ({"site": MASK}, set(), set()),
        ({"site": {"a": [MASK]}}, set(), set()),
        ({"site": MASK}, {SITE}, {SITE}),
        ({}, {SITE}, {SITE}),
        ({"pat": "new"}, {("pat",)}, set()),
        ({"oauth": {"token": {"instance_url": "here"}}}, set(), {DEEP}),
        ({"oauth": MASK}, set(), set()),
    ],
    ids=["in clear", "a mask", "a mask within", "a mask of what was", "nothing", "secret now", "deep", "a mask of all"],
)
def test_only_what_is_entered_in_clear_becomes_no_secret(
    sent: JsonObject, entered: set[Path], after: set[Path]
) -> None:
    assert choose_entered_paths(frozenset({SITE, DEEP}), frozenset(entered), sent) == after


@pytest.mark.parametrize(
    ("sent", "stored", "result"),
    [
        ({"a": MASK, "b": 1}, {"a": "s"}, {"a": "s", "b": 1}),
        ({"a": {"b": MASK}}, {"a": {"b": "s", "c": 1}}, {"a": {"b": "s"}}),
        ([{"a": MASK}, MASK], [{"a": "s"}], [{"a": "s"}, MASK]),
        ({"a": [MASK, {"b": [MASK]}]}, {"a": [5, {"b": ["s"]}]}, {"a": [5, {"b": ["s"]}]}),
        ({"a": MASK}, {"a": {"b": "s"}}, {"a": {"b": "s"}}),
        ({"a": MASK}, {}, {"a": MASK}),
        ({"a": "new"}, {"a": "s"}, {"a": "new"}),
    ],
)
def test_restores_what_a_mask_stands_for(sent: JSON, stored: JSON, result: JSON) -> None:
    assert restore_masked(sent, stored) == result
