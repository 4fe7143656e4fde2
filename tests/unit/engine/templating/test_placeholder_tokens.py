import pytest

from app.engine.json_types import JSON
from app.engine.record_errors import PlaceholderError
from app.engine.redaction import MASK
from app.engine.templating.tokens import parse_token

SCOPE: dict[str, JSON] = {
    "args": {"id": 7, "empty": "", "nothing": None, "object": {"k": 1}, "texts": ["a", "b"]},
    "is_open?": True,
}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("args.id", "7"),
        (" args.id:int ", 7),
        ("args.id: int", 7),
        ("args.id:any", 7),
        ("is_open?", "true"),
        ("args.texts.-1", "b"),
        ("args.texts.length:int", 2),
    ],
)
def test_a_path_and_its_cast(source: str, expected: JSON) -> None:
    assert parse_token(source).resolve_value(SCOPE) == expected


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("user.@id", ("user", "@id")),
        ("user.@odata.nextLink", ("user", "@odata.nextLink")),
        ("user.$ref.x", ("user", "$ref", "x")),
        ("user.#text", ("user", "#text")),
        ("user.a@b", ("user", "a@b")),
        ("gr\u00f6\u00dfe.\u540d", ("gr\u00f6\u00dfe", "\u540d")),
        ("knowledge-base.pages/x.id", ("knowledge-base", "pages/x", "id")),
        ("x[0].id", ("x", "0", "id")),
        ("x[-1][2]", ("x", "-1", "2")),
        ("x[ 0 ]", ("x", "0")),
        ('a["b c"].d', ("a", "b c", "d")),
        ("a['b.c']", ("a", "b.c")),
        ("a[`b'\"c`]", ("a", "b'\"c")),
        ("a.`dc:title`[0]", ("a", "dc:title", "0")),
        ('"odd key".`a|b?:c`', ("odd key", "a|b?:c")),
        ("a.`[0]`", ("a", "[0]")),
        ("[0].a", None),
        ("a.@id[0]", ("a", "@id", "0")),
        ("a.@", None),
        ("a.@b.", None),
        ("a``", None),
        ("a`b`", None),
        ("a.[0]", None),
        ("a['b]", None),
        ("a[x]", None),
        ("a(b)", None),
    ],
)
def test_keys_of_any_characters_are_reached(source: str, path: tuple[str, ...] | None) -> None:
    try:
        found = parse_token(f" {source}:any ").paths
    except ValueError:
        found = None

    assert found == (None if path is None else {path})


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a.`x y`:int|b", 7),
        ("b|a.`x y`:int", 7),
        ("b a.`x y`:int", 7),
        ("b.`?:`?:`as it is`", "`as it is`"),
        ('b?:"x"', '"x"'),
        ("b?:(1,2)", "(1,2)"),
        ("c:segment", "a%2Fb%20%25%C3%A9"),
        ("c:encoded", "a/b %\u00e9"),
        ("d:segment", "%3F"),
    ],
)
def test_quoted_keys_stand_beside_all_else(source: str, expected: JSON) -> None:
    scope: dict[str, JSON] = {"a": {"x y": "7"}, "c": "a/b %\u00e9", "d": "\ud800"}

    assert parse_token(source).resolve_value(scope) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("args.absent|args.id", "7"),
        ("args.absent args.id", "7"),
        ("args.absent args.gone:int|args.id:int", 7),
        ("args.absent:int|args.id", "7"),
        ("args.nothing|args.id", None),
        ("args.empty|args.id", ""),
        ("args.empty|args.id:ignore-empty-str", 7),
        ("args.empty:ignore-empty-str|args.id:int", 7),
        ("args.empty:ignore-empty-str:int|args.id:int", 7),
    ],
)
def test_the_first_alternative_that_is_there_counts(source: str, expected: JSON) -> None:
    assert parse_token(source).resolve_value(SCOPE) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("args.absent?:5", "5"),
        ("args.absent:int?:5", "5"),
        ("args.absent?:5:int", 5),
        ("args.absent?:true:bool", True),
        ("args.absent?:null:null", None),
        ("args.absent?: spaced ", " spaced"),
        ("args.absent?: 5 :int", 5),
        ("args.absent?:http://host/path", "http://host/path"),
        ("args.absent?:http://host:8080/path", "http://host:8080/path"),
        ("args.absent?:2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("args.absent?:12:30:str", "12:30"),
        ("args.absent?:a|b", "a|b"),
        ("args.absent?:a?b", "a?b"),
        ("is_open?:any", "any"),
        ("args.absent:undefined?:5", "5"),
        ("args.nothing?:5", None),
        ("args.empty?:5", ""),
        ("args.empty:ignore-empty-str?:5", "5"),
        ("args.empty?:5:ignore-empty-str", "5"),
        ("args.id?:5", "7"),
    ],
)
def test_a_default_stands_in_for_what_is_missing(source: str, expected: JSON) -> None:
    assert parse_token(source).resolve_value(SCOPE) == expected


@pytest.mark.parametrize(
    ("source", "whole", "text"),
    [
        ("args.absent:null", None, "null"),
        ("args.absent:int:null", None, "null"),
        ("args.absent:int|args.gone:str:null", None, "null"),
        ("args.absent:null:undefined", None, ""),
        ("args.absent:undefined", None, ""),
        ("args.absent:int:undefined", None, ""),
        ("args.absent:undefined?:", None, ""),
        ("args.nothing", None, "null"),
        ("args.nothing:int", None, "null"),
    ],
)
def test_what_may_be_missing_gives_null_or_nothing(source: str, whole: JSON, text: str) -> None:
    token = parse_token(source)

    assert (token.resolve_value(SCOPE) or None) is whole
    assert token.resolve_text(SCOPE) == text


@pytest.mark.parametrize("source", ["args.absent", "args.absent?:", "args.absent?: ", "args.absent:int|args.gone"])
def test_what_must_be_there_is_an_error_that_names_its_path(source: str) -> None:
    with pytest.raises(PlaceholderError, match="does not resolve") as caught:
        parse_token(source).resolve_value(SCOPE)

    assert caught.value.path == "args.absent"
    assert source.partition("?:")[0] in str(caught.value)


@pytest.mark.parametrize("read", ["resolve_value", "resolve_text"])
def test_an_object_without_a_cast_is_an_error_that_names_its_path(read: str) -> None:
    with pytest.raises(PlaceholderError, match=r"'{{args\.object}}' an object has no text") as caught:
        getattr(parse_token("args.object"), read)(SCOPE)

    assert caught.value.path == "args.object"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("a:date", "'date' is no cast, expected one of str, int"),
        ("a:Int", "'Int' is no cast"),
        ("a:int:", "'int:' is no cast"),
        ("a:", "no dotted path where 'a:' stands"),
        ("a:-1", "no dotted path where 'a:-1' stands"),
        ("a?:http://h:80:port", "'port' is no cast"),
        ("a:int:str", "':str' after ':int'"),
        ("a:null:int", "':int' after ':null'"),
        ("a?:1:int:str", "':str' after ':int'"),
        (" ", "no dotted path where '' stands"),
        ("?:x", "no dotted path where '' stands"),
        ("a|", "no dotted path where '' stands"),
        ("a..b", "no dotted path where 'a..b' stands"),
        (".a", "no dotted path where '.a' stands"),
        ("a b.", "no dotted path where 'a b.' stands"),
    ],
)
def test_a_placeholder_that_is_wrong_is_refused(source: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_token(source)

    assert message in str(caught.value)


def test_every_path_is_known() -> None:
    assert parse_token("a.b c:int|d?:e.f").paths == {("a", "b"), ("c",), ("d",)}


MASKED: dict[str, JSON] = {"context": {"key": MASK, "a": {"b": MASK}}, "key": MASK, "args": {"x": MASK}, "id": MASK}


@pytest.mark.parametrize(
    "source", ["context.key", "key", "context.a.b:json", "context.key?:other", "absent|context.key"]
)
def test_a_secret_that_the_context_does_not_show_is_an_error_and_not_sent_as_its_mask(source: str) -> None:
    token = parse_token(source)

    with pytest.raises(PlaceholderError, match="holds a value of the account's context"):
        token.resolve_value(MASKED)
    with pytest.raises(PlaceholderError, match="holds a value of the account's context"):
        token.resolve_text(MASKED)


@pytest.mark.parametrize("source", ["args.x", "id", "args.x|context.key"])
def test_a_caller_may_send_a_text_that_looks_like_a_mask(source: str) -> None:
    assert parse_token(source).resolve_value(MASKED) == MASK
