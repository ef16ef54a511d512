"""Bodies of multipart/form-data: what a parser that is not ours reads in them."""

import re
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.formparser import parse_form_data

from sampai.domain.http import HttpRequest
from sampai.providers.nusasms.multipart import File, post_multipart

TEXTS = st.text(st.characters(codec="utf-8"), max_size=60)
# What a request may name a file, without the one sign that stands for itself and for another.
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters='%"\\/'), min_size=1)


def posted(text: str, file: File) -> HttpRequest:
    return post_multipart("https://nusasms.example/reply", {"text": text, "file": file}, headers={"APIKey": "k"})


def read(request: HttpRequest) -> tuple[dict[str, str], dict[str, tuple[str | None, str, bytes]]]:
    """Return the fields and the files that a web framework finds in a request."""
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
def test_a_web_framework_reads_what_was_put_in(text: str, name: str, data: bytes) -> None:
    request = posted(text, File(name=name, media_type="image/png", data=data))

    assert read(request) == ({"text": text}, {"file": (name, "image/png", data)})


@given(TEXTS, st.binary(max_size=200))
def test_the_same_parts_make_the_same_bytes_around_a_line_that_they_do_not_hold(text: str, data: bytes) -> None:
    file = File(name="a.png", media_type="image/png", data=data)
    request = posted(text, file)
    boundary = request.headers["Content-Type"].partition("boundary=")[2]

    assert posted(text, file) == request
    assert re.fullmatch("[0-9a-f]{32}", boundary)
    assert request.body.count(boundary.encode()) == 3


def test_a_body_within_a_body_is_a_file_like_any_other() -> None:
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
def test_a_name_ends_neither_its_quotes_nor_its_line(name: str, written: bytes) -> None:
    request = posted("", File(name=name, media_type="image/png", data=b"x"))

    assert b'form-data; name="file"; ' + written + b"Content-Type: image/png\r\n\r\nx" in request.body


def test_a_request_shows_neither_its_parts_nor_its_key() -> None:
    shown = repr(posted("Halo", File(name="a.png", media_type="image/png", data=b"x")))

    assert shown == "HttpRequest(method='POST', response_limit=65536)"
