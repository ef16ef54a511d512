"""Bodies of multipart/form-data, read by the parser of a web framework."""

import re
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.formparser import parse_form_data

from sampai.domain.http import HttpRequest
from sampai.providers.multipart import File, post_multipart

TEXTS = st.text(st.characters(codec="utf-8"), max_size=60)
# File names without "%", which stands for itself and starts an escape.
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters='%"\\/'), min_size=1)


def posted(text: str, file: File) -> HttpRequest:
    return post_multipart("https://nusasms.example/reply", [("text", text), ("file", file)], headers={"APIKey": "k"})


def read(request: HttpRequest) -> tuple[dict[str, str], dict[str, tuple[str | None, str, bytes]]]:
    """Return the fields and files that a web framework reads from a request."""
    environ = {
        "REQUEST_METHOD": request.method,
        "CONTENT_TYPE": request.headers["Content-Type"],
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.input": BytesIO(request.body),
    }
    _, form, files = parse_form_data(environ, silent=False)
    found = {}
    for name, file in files.items():
        with file.stream:
            found[name] = (file.filename, file.mimetype, file.stream.read())
    return dict(form), found


@given(TEXTS, NAMES, st.binary(max_size=200))
def test_web_framework_reads_the_original_fields_and_files(text: str, name: str, data: bytes) -> None:
    request = posted(text, File(name=name, media_type="image/png", data=data))

    assert read(request) == ({"text": text}, {"file": (name, "image/png", data)})


@given(TEXTS, st.binary(max_size=200))
def test_same_parts_give_the_same_bytes_and_the_boundary_occurs_in_none_of_them(text: str, data: bytes) -> None:
    file = File(name="a.png", media_type="image/png", data=data)
    request = posted(text, file)
    boundary = request.headers["Content-Type"].partition("boundary=")[2]

    assert posted(text, file) == request
    assert re.fullmatch("[0-9a-f]{32}", boundary)
    assert request.body.count(boundary.encode()) == 3


def test_file_may_contain_a_multipart_body() -> None:
    inner = posted("Halo", File(name="a.png", media_type="image/png", data=b"\r\n--"))
    outer = posted("Halo", File(name="a.eml", media_type="message/rfc822", data=inner.body))

    assert read(outer) == ({"text": "Halo"}, {"file": ("a.eml", "message/rfc822", inner.body)})


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ('a".png', b'filename="a%22.png"\r\n'),
        ('a"; name="room_id', b'filename="a%22; name=%22room_id"\r\n'),
        ("a\r\nX-Y: z", b'filename="a%0D%0AX-Y: z"\r\n'),
        ("faktur é 😀.pdf", 'filename="faktur é 😀.pdf"\r\n'.encode()),
    ],
)
def test_file_name_cannot_break_out_of_its_quotes_or_its_line(name: str, written: bytes) -> None:
    request = posted("", File(name=name, media_type="image/png", data=b"x"))

    assert b'form-data; name="file"; ' + written + b"Content-Type: image/png\r\n\r\nx" in request.body


def test_repr_of_a_request_shows_neither_its_parts_nor_its_key() -> None:
    shown = repr(posted("Halo", File(name="a.png", media_type="image/png", data=b"x")))

    assert shown == "HttpRequest(method='POST', response_limit=65536)"
