"""Credentials are masked in answers that are handed on; data that merely looks like the context's is not."""

import json

import pytest

from app.sources.answers import plain_answers

KEY = 'key/"7f+3a9'
CREDENTIALS = plain_answers.select_credentials(frozenset({KEY, "canary-7f3a9", "12345678", "short"}))
SAID = {"headers": {"Authorization": f"Bearer {KEY}"}, "canary-7f3a9": ["12345678", "short", 5]}
SHOWN = {"headers": {"Authorization": "Bearer ***"}, "***": ["12345678", "short", 5]}


@pytest.mark.parametrize("ensure_ascii", [True, False])
def test_credentials_in_a_body_are_masked(ensure_ascii: bool) -> None:
    written = json.dumps(SAID, ensure_ascii=ensure_ascii).replace("/", "\\/").encode()

    assert json.loads(plain_answers.mask_body(written, CREDENTIALS)) == SHOWN


def test_credentials_in_records_are_masked() -> None:
    assert plain_answers.mask_records([SAID], json.dumps(SAID).encode(), CREDENTIALS) == [SHOWN]


def test_records_of_an_answer_that_holds_none_are_given_as_they_are() -> None:
    records = [{"name": "short", "id": 12345678}]

    assert plain_answers.mask_records(records, json.dumps(records).encode(), CREDENTIALS - {KEY}) is records


@pytest.mark.parametrize("answer", [b"\x89PNG\xff\x00", b"", "é".encode("latin-1") * 9])
def test_a_body_that_is_no_text_stays_byte_for_byte(answer: bytes) -> None:
    assert plain_answers.mask_body(answer + b"key 7f 3a9", CREDENTIALS) == answer + b"key 7f 3a9"


def test_a_long_body_is_searched_as_it_is() -> None:
    answer = b"\xff" * 300_000 + b" canary-7f3a9 "

    assert plain_answers.mask_body(answer, CREDENTIALS) == b"\xff" * 300_000 + b" *** "
