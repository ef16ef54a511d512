"""The story of a message that a vendor refused: the vendor's words in a table of their own, and nothing of ours."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from sampai.adapters.attempts import DynamoAttempts
from sampai.domain.http import HttpRequest, HttpResponse
from tests.covers import covers
from tests.emulator import Emulator
from tests.functional.sandbox import Deployment, forget, leaks
from tests.harness.vendors import CREDENTIALS, base_urls, serving


def rude(request: HttpRequest) -> HttpResponse:
    """Refuse a message in the format of its vendor, with the whole request as an explanation."""
    echo = f"{request.url} {dict(request.headers)} {request.body.decode('utf-8', 'replace')}"
    vendor = request.url.split("/")[3]
    document: dict[str, Any]
    if vendor == "nomsa":
        status, document = 400, {"code": "invalid_recipient", "message": f"Recipient is not valid: {echo}"}
    elif vendor == "smsnoc":
        status, document = 403, {"status": "error", "message": f"Too many attempts for this route: {echo}"}
    elif vendor == "smspoh":
        status, document = 201, {"messages": [{"status": False, "message": f"Invalid Sender ID, see {echo}"}]}
    elif "sendsms" in request.url:
        status, document = 200, {"results": [{"status": "-35", "destination": echo}]}
    else:
        status, document = 200, {"error": True, "message": f"Invalid WA Sender: {echo}", "data": None}
    return HttpResponse(status=status, body=json.dumps(document).encode())


@pytest.fixture
def refused(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, discreet: set[str]) -> Iterator[Deployment]:
    with serving(rude) as address:
        yield Deployment(emulator=emulator, base_urls=base_urls(address), monkeypatch=monkeypatch)
    forget()


STORIES: Final[list[tuple[str, str, str, int, str]]] = [
    ("nomsa", "nomsa", "not_taken", 400, "Recipient is not valid: […]"),
    ("email", "nomsa", "not_taken", 400, "Recipient is not valid: […]"),
    ("smsnoc", "smsnoc", "unknown", 403, "Too many attempts for this route: […]"),
    ("smspoh", "smspoh", "not_taken", 201, "Invalid Sender ID, see […]"),
    ("encrypted-own-key", "smspoh", "not_taken", 201, "Invalid Sender ID, see […]"),
    ("nusasms", "nusasms", "not_taken", 200, '"-35"'),
    ("whatsapp-text", "nusasms", "not_taken", 200, "Invalid WA Sender: […]"),
    ("whatsapp-media-file", "nusasms", "not_taken", 200, "Invalid WA Sender: […]"),
    ("whatsapp-official-template", "nusasms", "not_taken", 200, "Invalid WA Sender: […]"),
]


@covers("I11")
@pytest.mark.parametrize(("name", "provider", "outcome", "status", "words"), STORIES, ids=[s[0] for s in STORIES])
def test_story_has_the_words_of_the_vendor_and_no_value_of_ours(
    name: str, provider: str, outcome: str, status: int, words: str, refused: Deployment
) -> None:
    refused.invoke(f"send/{name}")

    (item,) = refused.items(refused.attempts)
    (told,) = DynamoAttempts(refused.client("dynamodb"), table=refused.attempts).read(f"sample-{name}")
    assert (told.provider, told.outcome, told.http_status, told.attempt) == (provider, outcome, status, 1)
    assert words in (told.vendor_words or "")
    shown = json.dumps(item, ensure_ascii=False)
    assert leaks(shown, {value for values in CREDENTIALS.values() for value in values.values()}) == []


def test_batch_of_accepted_messages_writes_no_story(deployment: Deployment) -> None:
    deployment.invoke("send/batch-of-ten")

    assert deployment.items(deployment.attempts) == []
