from app.sources.redaction import masked, secrets_in


def test_secrets_are_all_texts_within_a_context() -> None:
    assert secrets_in({"token": "abcd", "oauth": [{"key": "efgh"}], "n": 12345, "short": "en"}) == {"abcd", "efgh"}


def test_secrets_are_masked_in_every_form() -> None:
    text = 'a/b"c d a%2Fb%22c%20d a/b\\"c d a\\/b"c d'

    assert masked(text, {'a/b"c d'}) == "*** *** *** ***"


def test_secrets_are_masked_as_forms_paths_and_json_write_them() -> None:
    text = 'a+b%2Fc%C3%A9%22 a%20b/c%C3%A9%22 {"k": "a b/cé\\""}'

    assert masked(text, {'a b/cé"'}) == '*** *** {"k": "***"}'


def test_a_secret_within_a_longer_one_leaves_no_rest() -> None:
    assert masked("key-and-more", {"key-", "key-and-more"}) == "***"
