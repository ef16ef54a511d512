"""NusaSMS answers in XML unless it honours `output=json`: the parser must survive any answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampai.domain.http import HttpResponse
from sampai.domain.outcome import Taken, Unknown
from sampai.providers.base import ProviderConfig
from sampai.providers.nusasms.sms import NusaSms
from tests.covers import covers

NUSASMS = NusaSms(ProviderConfig(base_url="https://nusasms.example", credentials={"user": "u", "password": "p"}))

RESULT = "<results><result><status>0</status><messageid>{messageid}</messageid></result></results>"
BOMB = (
    '<!DOCTYPE lolz [<!ENTITY a "0123456789"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;">]>'
)

HOSTILE = {
    "entities that grow": BOMB + RESULT.format(messageid="&d;"),
    "an entity for a file": '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/hostname">]>' + RESULT.format(messageid="&f;"),
    "an entity of one word": '<!DOCTYPE x [<!ENTITY f "175">]>' + RESULT.format(messageid="&f;"),
    "a document type in small letters": '<!doctype x [<!entity f "175">]>' + RESULT.format(messageid="&f;"),
    "a document type after the declaration": '<?xml version="1.0"?>\n<!DOCTYPE x>' + RESULT.format(messageid="175"),
    "an entity that nobody declared": RESULT.format(messageid="&f;"),
    "a page": "<html><status>0</status><messageid>175</messageid></html>",
    "another root": f"<x>{RESULT.format(messageid='175')}</x>",
    "two results": "<results><result><status>0</status></result><result><status>0</status></result></results>",
    "an id that comes twice": RESULT.format(messageid="175</messageid><messageid>176"),
    "an id inside another field": RESULT.format(messageid="<x>175</x>"),
    "half a document": RESULT.format(messageid="175")[:-5],
    "two documents": RESULT.format(messageid="175") * 2,
    "deep nesting": "<results>" * 6_000,
}


def outcome_of(body: bytes, status: int = 200) -> object:
    return NUSASMS.parse_send(HttpResponse(status=status, body=body))


@covers("V4")
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_xml_has_no_message_id(text: str) -> None:
    assert isinstance(outcome_of(text.encode()), Unknown)


@covers("V4")
@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-7"])
def test_document_type_is_found_in_every_encoding(encoding: str) -> None:
    document = f'<?xml version="1.0" encoding="{encoding}"?>{HOSTILE["an entity of one word"]}'

    assert outcome_of(document.encode(encoding)) == Unknown(why="HTTP 200 without a result")


@pytest.mark.parametrize("encoding", ["UTF-8", "utf-8", "UTF-16", "ISO-8859-1"])
def test_xml_is_read_as_utf_8_even_if_it_declares_another_encoding(encoding: str) -> None:
    document = f'<?xml version="1.0" encoding="{encoding}"?>{RESULT.format(messageid=" 0175 ")}'

    assert outcome_of(document.encode()) == Taken(provider_message_id="0175")


def test_json_with_a_repeated_code_is_unknown() -> None:
    body = b'{"results": [{"status": "-5", "status": "0", "messageid": "175"}]}'

    assert outcome_of(body) == Unknown(why="HTTP 200 without a result")


@given(st.binary(max_size=300), st.sampled_from([200, 201, 202]))
def test_arbitrary_bytes_do_not_raise(body: bytes, status: int) -> None:
    assert isinstance(outcome_of(body, status), Unknown)


@given(st.text('<>/!&;[]" resultsmaeidg0', max_size=120))
def test_xml_like_text_does_not_raise(text: str) -> None:
    assert isinstance(outcome_of(f"<results>{text}".encode()), Unknown)
