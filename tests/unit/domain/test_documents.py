"""Configuration documents: JSON objects without a repeated field."""

import json

import pytest

from sampai.domain.documents import DocumentError, parse_object


def test_object_has_the_fields_of_the_document() -> None:
    document = {"nomsa": {"api_key": "k"}, "smsnoc": {"api_token": "t"}, "list": [{"a": 1}, {"a": 2}]}

    assert parse_object(json.dumps(document)) == document
    assert parse_object("\ufeff{}") == {}


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ('{"providers": {"philsms": {"sender": "A"}, "philsms": {"sender": "B"}}}', "philsms: occurs twice"),
        ('{"nomsa": {"api_key": "a", "api_key": "a"}}', "api_key: occurs twice"),
        ('{"list": [{"smspoh-2": 1, "smspoh-2": 2}]}', "smspoh-2: occurs twice"),
        ('{"1|canary": 1, "1|canary": 2}', "a field: occurs twice"),
        ("[]", "not a JSON object"),
        ("7", "not a JSON object"),
    ],
)
def test_error_names_a_repeated_field_and_shows_no_value(document: str, text: str) -> None:
    with pytest.raises(DocumentError) as refusal:
        parse_object(document)

    assert str(refusal.value) == text


@pytest.mark.parametrize("document", ["", "{", "{'a': 1}", "{} {}"])
def test_text_that_is_not_json_is_refused(document: str) -> None:
    with pytest.raises(ValueError, match=r"line 1 column"):
        parse_object(document)
