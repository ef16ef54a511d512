"""Callbacks of the simulators in other encodings than the vendors' pages show."""

import json
from email.parser import BytesParser
from functools import partial
from typing import Final
from urllib.parse import parse_qs, urlsplit

import pytest

from local.simulators.encodings import ENCODINGS, build_callback
from local.simulators.server import Simulators
from local.simulators.settings import Settings
from local.simulators.webhook_sender import Receipt

FIELDS: Final = {"ref_no": "0080", "status": "D", "err_code": "27", "name": "Ñandú"}


def read(receipt: Receipt) -> dict[str, list[str]]:
    """Return the fields of a callback as texts, with all values of each, by its content type."""
    content_type = receipt.headers.get("Content-Type", "")
    if "json" in content_type:
        return {name: [str(value)] for name, value in json.loads(receipt.body.decode("utf-8-sig")).items()}
    if "multipart" in content_type:
        form = BytesParser().parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + receipt.body)
        parts = [part for part in form.walk() if not part.is_multipart()]
        names = [str(part.get_param("name", header="content-disposition")) for part in parts]
        contents = [bytes(part.get_payload(decode=True)).decode() for part in parts]
        return {name: [content] for name, content in zip(names, contents, strict=True)}
    form_text = (receipt.body or urlsplit(receipt.url).query.encode()).decode("latin-1")
    charset = "iso-8859-1" if "8859" in content_type else "utf-8"
    return parse_qs(form_text, keep_blank_values=True, encoding=charset)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_each_encoding_has_all_fields(encoding: str) -> None:
    receipt = build_callback("acme", "http://127.0.0.1:9/hook", FIELDS, encoding)

    found = {name: set(values) for name, values in read(receipt).items() if name in FIELDS}

    assert found == {name: {value} for name, value in FIELDS.items()}
    assert receipt.method == ("GET" if encoding == "query" else "POST")


def test_a_text_that_does_not_fit_latin_1_is_sent_in_utf_8() -> None:
    receipt = build_callback("acme", "http://127.0.0.1:9/hook", {"msg": "ကခ"}, "latin-1")

    assert read(receipt) == {"msg": ["ကခ"]}


def test_the_encodings_of_the_settings_take_turns() -> None:
    documented = Receipt(vendor="acme", method="GET", url="http://127.0.0.1:9/hook?ref_no=0080")

    with Simulators(settings=Settings(callback_encodings=("form", "json"))) as simulators:
        encode = partial(simulators.world.encode, documented, "http://127.0.0.1:9/hook", FIELDS)
        types = [encode().headers["Content-Type"] for _ in range(3)]
        simulators.world.settings = Settings()
        polite = encode()
        simulators.world.settings = Settings(rude=True)
        rude = {(receipt.headers.get("Content-Type"), receipt.body) for receipt in (encode() for _ in ENCODINGS)}

    form, as_json = "application/x-www-form-urlencoded", "application/json"
    assert types == [form, as_json, form]
    assert polite == documented
    assert len(rude) == len(ENCODINGS)


def test_an_unknown_encoding_is_refused() -> None:
    with pytest.raises(ValueError, match="callback_encodings"):
        Settings().changed({"callback_encodings": ["form", "morse"]})
