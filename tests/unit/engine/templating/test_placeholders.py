import copy
import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.errors import InvalidInputError
from app.engine.json_types import JSON
from app.engine.paths import UNDEFINED
from app.engine.record_errors import PlaceholderError
from app.engine.templating.placeholders import MAX_DEPTH, parse

# ECMA-262, WhiteSpace and LineTerminator.
SPACE = "\t\n\v\f\r\u2028\u2029\ufeff" + "".join(c for c in map(chr, range(0x10000)) if unicodedata.category(c) == "Zs")
SCOPE: dict[str, JSON] = {"args": {"id": 7, "name": "Ann", "list": [1, 2], "object": {"k": [1]}}, "url": "https://x"}

KEYS = st.text(string.ascii_lowercase + "_-", min_size=1, max_size=5)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=5)
TOKEN_TEXT = st.text("ab.-1 |?:/\n{}", max_size=30) | st.from_regex(
    r"\{\{[ab.](:(int|null|date|undefined|ignore-empty-str)){0,3}(\?:[a:1 ]{0,4})?\}\}"
)


def resolved(value: JSON, scope: dict[str, JSON] = SCOPE) -> JSON:
    return parse(value).resolve(scope)


def nested(value: JSON, levels: int) -> JSON:
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{args.id:int}}", 7),
        ("{{args.id}}", "7"),
        ("{{\n args.id:int }}", 7),
        (" {{args.id:int}}", " 7"),
        ("{{args.id:int}}{{args.id:int}}", "77"),
        ("{{url}}/users/{{args.id}}?all={{args.absent?:true}}", "https://x/users/7?all=true"),
        ("ids={{args.list}}", "ids=1,2"),
        ("{{args.object:json}}", {"k": [1]}),
        ("a{{args.absent:undefined}}b", "ab"),
        ("a{{args.absent:null}}b", "anullb"),
        ("{{{args.id}}}", "{7}"),
        ('{{"{{"}}args.id}}', "{{args.id}}"),
        ('<{{ "{{a}} b" }}> {{args.id}}', "<{{a}} b> 7"),
        ('{{""}}', ""),
    ],
)
def test_placeholders_are_filled_in(text: str, expected: JSON) -> None:
    assert resolved(text) == expected


@pytest.mark.parametrize("text", ["", "plain", "{args.id}", "a}}b", "{ {args.id}}", "$&"])
def test_what_is_no_placeholder_is_text(text: str) -> None:
    template = parse(text)

    assert not template.references
    assert template.resolve({}) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{{}}", "'{{}}' holds no dotted path where '' stands"),
        ("{{ }}", "'{{ }}' holds no dotted path"),
        ("{{a,b}}", "'{{a,b}}' holds no dotted path where 'a,b' stands; other keys are put in backticks"),
        ("x {{a*}} y", "'{{a*}}' holds no dotted path"),
        (r"{{a\b}}", r"'{{a\b}}' holds no dotted path"),
        ("{{a[b]}}", "'{{a[b]}}' holds no dotted path"),
        ("{{a[0}}", "'{{a[0}}' holds no dotted path"),
        ("{{a.`b}}", "'{{a.`b}}' holds no dotted path"),
        ("{{a\x00b}}", "holds a control character"),
        ("{{args.id}", "'{{args.id}' is no placeholder"),
        ("{{args.{{args.id}}}}", "'{{args.' is no placeholder"),
        ("{{{{args.id}}}}", "'{{' is no placeholder"),
        ("{{a{b}}}", "'{{a{b}}}' is no placeholder"),
        ("{{" + "x" * 500, "'{{" + "x" * 58 + "' is no placeholder"),
    ],
)
def test_what_is_meant_as_a_placeholder_is_read_or_refused(text: str, shown: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse({"q": text})

    assert [failure.path for failure in caught.value.failures] == ["q"]
    assert shown in caught.value.failures[0].message


def test_a_key_holds_no_placeholder() -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse({"a": {"{{args.id}}": 1}})

    assert [(one.path, one.message) for one in caught.value.failures] == [
        ("a.{{args.id}}", "a key holds no placeholders, its value may")
    ]


def test_values_are_walked() -> None:
    value = {"ids": ["{{args.id:int}}", {"n": "{{args.name}}"}], "limit": 10, "on": True, "none": None}

    assert resolved(value) == {"ids": [7, {"n": "Ann"}], "limit": 10, "on": True, "none": None}


def test_what_is_undefined_is_left_out() -> None:
    value = {
        "since": "{{previous_run_date:undefined}}",
        "ids": [1, "{{args.absent:undefined}}", "{{args.absent:null}}"],
    }

    assert resolved(value) == {"ids": [1, None]}


def test_a_template_that_is_undefined_as_a_whole_gives_undefined() -> None:
    assert resolved("{{args.absent:undefined}}") is UNDEFINED


def test_what_does_not_resolve_is_an_error_anywhere() -> None:
    with pytest.raises(PlaceholderError, match=r"'{{args\.absent}}' does not resolve"):
        resolved({"query": [{"since": "from {{args.absent}}"}]})


@pytest.mark.parametrize("name", ["{{args.id}}", "$&", r"\1", "{{name}}"])
def test_a_value_is_never_read_again(name: str) -> None:
    assert resolved({"whole": "{{name}}", "text": "<{{name}}>"}, {"name": name}) == {"whole": name, "text": f"<{name}>"}


@pytest.mark.parametrize(
    ("merge", "expected"),
    [
        ("{{more:json}}", {"a": 2, "list": [1, 2], "deep": {"x": 1, "y": 2}, "kept": True}),
        (["{{more:json}}", {"a": 3}], {"a": 3, "list": [1, 2], "deep": {"x": 1, "y": 2}, "kept": True}),
        ([{"deep": 5}, "skipped", None], {"a": 1, "list": [1], "deep": 5, "kept": True}),
        ("{{absent:undefined}}", {"a": 1, "list": [1], "deep": {"x": 1}, "kept": True}),
        ("skipped", {"a": 1, "list": [1], "deep": {"x": 1}, "kept": True}),
    ],
    ids=["object", "array", "replaced", "undefined", "no-object"],
)
def test_what_is_merged_wins_and_arrays_are_joined(merge: JSON, expected: JSON) -> None:
    scope = {"more": {"a": 2, "list": [2], "deep": {"y": 2}}}

    value = {"a": 1, "$truto_merge": merge, "list": [1], "deep": {"x": 1}, "kept": True}

    assert resolved({"body": value}, scope) == {"body": expected}
    assert scope == {"more": {"a": 2, "list": [2], "deep": {"y": 2}}}


def test_every_wrong_placeholder_is_reported_with_its_path() -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse({"a": "{{x:date}}", "b": ["ok", {"c": "{{x..y}} and {{z?:h:port}}"}]})

    failures = [(failure.path, failure.message.split(" holds ")[0]) for failure in caught.value.failures]
    assert failures == [
        ("a", "placeholder '{{x:date}}'"),
        ("b.1.c", "placeholder '{{x..y}}'"),
        ("b.1.c", "placeholder '{{z?:h:port}}'"),
    ]


def test_a_text_has_pieces_and_nothing_else_does() -> None:
    assert [str(piece) if isinstance(piece, str) else piece.source for piece in parse("/a/{{b}}/c").pieces] == [
        "/a/",
        "b",
        "/c",
    ]
    with pytest.raises(TypeError):
        _ = parse(["{{a}}"]).pieces


def test_references_name_every_path() -> None:
    template = parse({"a": "{{args.id|resources.tickets.id:int}}", "b": ["{{x}}-{{y.0}}", {"c": 1}]})

    assert template.references == {("args", "id"), ("resources", "tickets", "id"), ("x",), ("y", "0")}
    assert template.references


def test_equal_values_give_equal_templates() -> None:
    value = {"a": ["{{args.id:int}}", 1], "b": "x{{y}}"}

    assert parse(value) == parse(copy.deepcopy(value))
    assert hash(parse(value)) == hash(parse(copy.deepcopy(value)))


def test_a_template_may_be_as_deep_as_the_limit() -> None:
    assert resolved(nested("{{args.id:int}}", MAX_DEPTH)) == nested(7, MAX_DEPTH)


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 100_000])
def test_a_deeper_template_is_refused(levels: int) -> None:
    with pytest.raises(InvalidInputError, match=f"nested deeper than {MAX_DEPTH} levels"):
        parse(nested("x", levels))


def test_a_value_that_is_too_deep_for_text_is_an_error() -> None:
    with pytest.raises(PlaceholderError, match="nested too deeply: deep"):
        resolved("{{deep}}", {"deep": nested(1, 50_000)})


@given(TOKEN_TEXT | VALUES)
def test_parsing_gives_a_template_or_says_what_is_wrong(value: JSON) -> None:
    try:
        parse(value)
    except InvalidInputError as error:
        assert error.failures


@given(VALUES.filter(lambda value: "{{" not in str(value)))
def test_a_value_without_placeholders_resolves_to_itself(value: JSON) -> None:
    assert resolved(value, {}) == value


@given(VALUES)
def test_a_typed_value_comes_through_whole(value: JSON) -> None:
    assert resolved("{{x:any}}", {"x": [value]}) == [value]


@given(st.text() | st.text(SPACE + "\x1c\x1f\x85a"))
def test_a_typed_text_is_trimmed_and_no_more(text: str) -> None:
    trimmed = resolved("{{x:any}}", {"x": text})

    assert trimmed in text
    assert resolved("{{x:any}}", {"x": trimmed}) == trimmed
    # What ECMAScript trims: U+FEFF too, and of ASCII's separators none.
    assert trimmed == text.strip(SPACE)


@given(st.fixed_dictionaries({}, optional={"a": VALUES, "b": SCALARS, "c": VALUES}))
def test_resolving_changes_nothing_and_repeats_itself(scope: dict[str, JSON]) -> None:
    before = copy.deepcopy(scope)
    template = parse({"$truto_merge": ["{{a:undefined}}", "{{c:null}}"], "b": "{{b?:1:int}}", "k": ["{{c:null}}"]})

    assert template.resolve(scope) == template.resolve(scope)
    assert scope == before


@given(st.text())
def test_a_text_of_a_scope_is_copied_as_it_is(text: str) -> None:
    assert resolved("<{{x}}>", {"x": text}) == f"<{text}>"
