import pytest

from app.engine.json_types import JSON
from app.sources.reading import xml_documents
from app.sources.reading.xml_documents import XmlError

BILLION_LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;">]><lolz>&d;</lolz>"""


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ("<a/>", {"a": None}),
        ("<a> x </a>", {"a": "x"}),
        ("<a><b>1</b><b>2</b><b/></a>", {"a": {"b": ["1", "2", None]}}),
        ('<a k="v">x<b>y</b></a>', {"a": {"@k": "v", "b": "y", "#text": "x"}}),
        ("<a><![CDATA[<&>]]>&amp;&#65;</a>", {"a": "<&>&A"}),
        ('<?xml version="1.0" encoding="iso-8859-1"?><a>\xe9</a>', {"a": "é"}),
    ],
)
def test_a_document_is_read(text: str, document: JSON) -> None:
    assert xml_documents.parse(text.encode()) == document


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (BILLION_LAUGHS, "document type"),
        (b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>', "document type"),
        (b'<!DOCTYPE x SYSTEM "http://169.254.169.254/x.dtd"><x/>', "document type"),
        (b"<x>&unknown;</x>", "undefined entity"),
        (b"<a>" * 300 + b"</a>" * 300, "nested more than"),
        (b"<a><b></a>", "mismatched tag at line 1"),
        (b"", "no element found"),
        (b'<?xml version="1.0" encoding="iso-8859-1"?><a>\xe9</a>', "invalid token"),
    ],
    ids=["bomb", "file", "dtd", "entity", "deep", "tags", "empty", "bytes"],
)
def test_what_is_no_plain_document_is_refused(body: bytes, words: str) -> None:
    with pytest.raises(XmlError, match=words):
        xml_documents.parse(body)
