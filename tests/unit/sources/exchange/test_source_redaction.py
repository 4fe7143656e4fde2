"""Secrets are found in whatever way they are written, and nothing else is changed."""

import html
import json
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from app.sources.exchange import written_texts
from app.sources.exchange.redaction import collect_secrets, mask_secrets

Writing: TypeAlias = Callable[[str, Sequence[bool]], str]


def every(character: str, write: Callable[[str], str]) -> str:
    return "".join(write(one) for one in character)


def some(write: Callable[[str], str]) -> Writing:
    """Write a part of the characters; what begins an escape is always one of them."""

    def written(text: str, choice: Sequence[bool]) -> str:
        chosen = ((one, choice[at % len(choice)] or one in "\\%&") for at, one in enumerate(text))
        return "".join(write(one) if is_chosen else one for one, is_chosen in chosen)

    return written


def percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode())


def utf16(character: str) -> str:
    return json.dumps(character)[1:-1] if ord(character) > 0xFFFF else f"\\u{ord(character):04x}"


WRITINGS: Final[dict[str, Writing]] = {
    "percent": lambda text, _: quote(text, safe=""),
    "percent in lower case": lambda text, _: every(text, percent).lower(),
    "percent of some": some(percent),
    "percent of some in lower case": some(lambda one: percent(one).lower()),
    "form": lambda text, _: quote_plus(text),
    "path": lambda text, _: quote(text),
    "JSON": lambda text, _: json.dumps(text)[1:-1],
    "JSON of few escapes": lambda text, _: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON with slashes": lambda text, _: json.dumps(text)[1:-1].replace("/", "\\/"),
    "JSON of some": some(utf16),
    "JSON of some in upper case": some(lambda one: utf16(one).upper().replace("\\U", "\\u")),
    "script of some": some(lambda one: f"\\x{ord(one):02x}" if ord(one) < 0x80 else utf16(one)),
    "script of points": some(lambda one: f"\\u{{{ord(one):X}}}"),
    "octal of some": some(lambda one: f"\\{ord(one):03o}" if ord(one) < 0x80 else utf16(one)),
    "HTML": lambda text, _: html.escape(text),
    "HTML by numbers": some(lambda one: f"&#{ord(one)};"),
    "HTML by hex numbers": some(lambda one: f"&#x{ord(one):X};"),
}
LAYERS = st.lists(
    st.tuples(st.sampled_from(sorted(WRITINGS)), st.lists(st.booleans(), min_size=1, max_size=5)), max_size=3
)
CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0")
SECRETS = st.text(CHARACTERS, min_size=4, max_size=80) | st.text("aB3+/=%&\\\"'é😀 \n", min_size=4, max_size=12)


@settings(deadline=None)
@given(
    secret=SECRETS,
    layers=LAYERS,
    before=st.sampled_from(["", "key=", '{"k": "']),
    after=st.sampled_from(["", '"}', "&x=1"]),
)
def test_a_secret_is_masked_in_all_writings_and_their_compositions(
    secret: str, layers: list[tuple[str, list[bool]]], before: str, after: str
) -> None:
    assume(len(written_texts.unescape(secret)) >= 4)
    written = secret
    for name, choice in layers:
        written = WRITINGS[name](written, choice)

    shown = mask_secrets(before + written + after, {secret})

    assert "***" in shown
    assert written not in shown.replace("***", "") or len(written) < 4
    assert written_texts.fold(secret) not in written_texts.fold(written_texts.unescape(shown))


@settings(deadline=None)
@given(
    text=st.text("abcdefgh123%&#;\\/+ \"'\n", max_size=200), secrets=st.sets(st.text("TUVWXYZ", min_size=4), max_size=5)
)
def test_a_text_without_secrets_is_unchanged(text: str, secrets: set[str]) -> None:
    assert mask_secrets(text, secrets) == text


@pytest.mark.parametrize(
    "text", ["%25" * 20_000, "&amp" * 16_000, "\\" * 60_000, "%" + "25" * 30_000, "\\x41\\" * 13_000]
)
def test_layers_of_escapes_are_bounded(text: str) -> None:
    lengths = [len(written.text) for written in written_texts.list_layers(text)]

    assert len(lengths) <= 9
    assert lengths == sorted(lengths, reverse=True)


def test_secrets_are_all_texts_and_long_numbers_within_a_context() -> None:
    context = {"token": "abcd", "oauth": [{"key": "efgh"}], "year": 2024, "pin": 12345678, "short": "en", "on": True}

    assert collect_secrets(context) == {"abcd", "efgh", "12345678"}


def test_all_that_stands_around_a_secret_stays() -> None:
    text = 'a %2f a/b"c d a%2Fb%22c%20d a/b\\"c d &lt; a\\/b"c d'

    assert mask_secrets(text, {'a/b"c d'}) == "a %2f *** *** *** &lt; ***"


def test_a_secret_within_a_longer_one_leaves_no_rest() -> None:
    assert mask_secrets("key-and-more", {"key-", "key-and-more"}) == "***"


def test_a_long_secret_is_masked_as_far_as_it_is_there() -> None:
    key = "".join(f"line {number}\n" for number in range(50))

    assert mask_secrets(f"<{key}> <{key[:40]}>", {key}) == f"<***> <***{key[32:40]}>"


@pytest.mark.parametrize("written", ["bWU6Yj9+Yg==", "bWU6Yj9+Yg", "bWU6Yj9-Yg", "bWU6Yj9%2BYg%3D%3D"])
def test_base64_is_masked_without_its_padding_and_as_addresses_have_it(written: str) -> None:
    shown = mask_secrets(f"Basic {written}", {"bWU6Yj9+Yg=="})

    assert shown.removesuffix("%3D%3D").removesuffix("==") == "Basic ***"


COSTLY: dict[str, Callable[[], Iterable[str]]] = {
    "one of 10 MB": lambda: ["a" * 10_000_000],
    "300,000 short ones": lambda: (f"{number:06x}" for number in range(300_000)),
    "marks without end on one letter": lambda: ["a" + "\u0315" * 50_000 + "\u0316" * 50_000],
}


@pytest.mark.parametrize("make", COSTLY.values(), ids=COSTLY)
def test_secrets_of_any_number_and_length_are_masked_in_little_time(make: Callable[[], Iterable[str]]) -> None:
    secrets = frozenset(make())
    before = time.thread_time()

    shown = mask_secrets(f"said: {min(secrets)}", secrets)

    assert shown in ("***", "said: ***")
    assert time.thread_time() - before < 2


def test_a_secret_that_is_longer_than_calls_go_deep_is_masked() -> None:
    key = "".join(f"{number:06x}" for number in range(40_000))

    assert mask_secrets(f"said: {key}", {key}) == "said: ***"


@pytest.mark.parametrize("charset", ["latin-1", "cp1252"])
def test_a_secret_that_was_read_byte_by_byte_is_masked(charset: str) -> None:
    misread = "pässwörd-日本".encode().decode(charset, "replace")

    assert mask_secrets(f"X-Key: {misread}!", {"pässwörd-日本"}) == "X-Key: ***!"
    assert mask_secrets(json.dumps(misread), {"pässwörd-日本"}) == '"***"'
