"""Nomsa's simulated e-mail API over real sockets: every outcome, its limits and its list."""

import hashlib
import http.client
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from local.simulators.ledger import text_sha256
from local.simulators.server import Simulators
from sampai.domain.http import HttpRequest
from sampai.providers.multipart import File, post_multipart
from tests.unit.local.test_simulators import FAST, FORM, FROZEN, JSON, NOMSA_AUTH, Answer, call, until

PATH = "/nomsa/v1/transactional/email"
MAIL: dict[str, Any] = {"subject": "Your bill", "body": "<p>1234</p>", "recipient": "Sok10@Example.com"}


@pytest.fixture
def frozen() -> Iterator[Simulators]:
    with Simulators(settings=replace(FROZEN, nomsa_emails_per_second=100)) as simulators:
        yield simulators


@pytest.fixture
def fast() -> Iterator[Simulators]:
    with Simulators(settings=FAST) as simulators:
        yield simulators


def send(simulators: Simulators, recipient: str = "sok10@example.com", **changes: Any) -> Answer:
    fields = {name: value for name, value in {**MAIL, "recipient": recipient, **changes}.items() if value is not None}
    body = json.dumps(fields).encode()
    return call(simulators, "POST", f"{PATH}/send", headers={**JSON, **NOMSA_AUTH}, body=body)


def send_form(simulators: Simulators, *files: tuple[str, bytes], **fields: str) -> Answer:
    parts: list[tuple[str, str | File]] = [*{**MAIL, **fields}.items()]
    parts += [("attachments", File(name=name, media_type="x/y", data=data)) for name, data in files]
    form: HttpRequest = post_multipart("http://x.example", parts, headers=NOMSA_AUTH)
    return call(simulators, "POST", f"{PATH}/send", headers=form.headers, body=form.body)


def get(simulators: Simulators, path: str = "") -> Any:
    return call(simulators, "GET", f"{PATH}{path}", headers=NOMSA_AUTH).document


def ledger(simulators: Simulators) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = call(simulators, "GET", "/_ledger?vendor=nomsa").document
    return entries


def test_answer_is_the_documented_object(frozen: Simulators) -> None:
    sent = send(frozen, reply_to="a@b.kh", cc=["c@b.kh"], bcc=["d@b.kh"], classification="URGENT", tag="t-1")

    shown = sent.document
    times = {name: shown.pop(name) for name in ("id", "accepted_at", "created_at", "updated_at")}
    assert sent.status == 201
    assert all(times.values())
    assert shown == {
        "from": "Nomsa <donotreply@mail.nomsa.gov.kh>",
        "recipient": "sok10@example.com",
        "params": {"body": "<p>1234</p>", "from": None, "subject": "Your bill", "reply_to": "a@b.kh"},
        "attachments_metadata": None,
        "status": "ACCEPTED",
        "error_code": None,
        "error_sub_type": None,
        "sent_at": None,
        "delivered_at": None,
        "opened_at": None,
        "classification": "URGENT",
        "tag": "t-1",
        "cc": ["c@b.kh"],
        "bcc": ["d@b.kh"],
    }
    assert get(frozen, f"/{times['id']}") == shown | times


def test_form_with_files_is_taken_and_shown_in_the_ledger(frozen: Simulators) -> None:
    files = (("វិក្កយបត្រ.pdf", b"%PDF\r\n--\x00"), ("2.txt", b""))

    sent = send_form(frozen, *files, cc='["c@b.kh"]').document

    assert sent["attachments_metadata"] == [{"fileName": name, "fileSize": len(data)} for name, data in files]
    assert sent["cc"] == ["c@b.kh"]
    (entry,) = ledger(frozen)
    assert entry["files_sha256"] == [hashlib.sha256(data).hexdigest() for _, data in files]
    assert (entry["channel"], entry["recipient"]) == ("email", "sok10@example.com")
    assert entry["text_sha256"] == text_sha256("Your bill\n<p>1234</p>")


LAST = {
    "10": ("DELIVERED", None, None),
    "11": ("BOUNCED", "Hard bounce", "NoEmail"),
    "12": ("ACCEPTED", None, None),
    "27": ("OPENED", None, None),
    "32": ("COMPLAINT", "abuse", None),
}


@pytest.mark.parametrize("digits", LAST)
def test_address_selects_the_last_status(fast: Simulators, digits: str) -> None:
    path = f"/{send(fast, f'sok{digits}@example.com').document['id']}"

    def last() -> tuple[str, str | None, str | None]:
        row = get(fast, path)
        return row["status"], row["error_code"], row["error_sub_type"]

    assert until(lambda: last() == LAST[digits])
    passed = [name for name in ("sent_at", "delivered_at", "opened_at") if get(fast, path)[name]]
    assert passed == ["sent_at", "delivered_at", "opened_at"][: len(passed)]
    assert len(passed) == {"10": 2, "32": 2, "27": 3}.get(digits, 0)


REFUSED: list[tuple[str, dict[str, Any], int, str]] = [
    ("the blacklist", {"recipient": "sok21@example.com"}, 400, "invalid_recipient"),
    ("no permission", {"recipient": "sok24@example.com"}, 403, "unauthorized"),
    ("HTTP 500", {"recipient": "sok19@example.com"}, 500, "internal_server"),
    ("no subject", {"subject": None}, 400, "api_validation"),
    ("an empty body", {"body": ""}, 400, "api_validation"),
    ("a list of recipients", {"recipient": ["sok10@example.com"]}, 400, "api_validation"),
    ("two recipients", {"recipient": "a@b.kh,c@d.kh"}, 400, "api_validation"),
    ("a copy as a text", {"cc": "a@b.kh"}, 400, "api_validation"),
    ("a copy to no address", {"bcc": ["a"]}, 400, "api_validation"),
    ("a copy as a number", {"bcc": [1]}, 400, "api_validation"),
    ("no address for replies", {"reply_to": "a"}, 400, "api_validation"),
    ("an unknown classification", {"classification": "LATER"}, 400, "api_validation"),
    ("an unknown field", {"label": "mcs-otp"}, 400, "api_validation"),
    ("a From address that is not set up", {"from": "a@b.kh"}, 400, "invalid_from_address"),
]


@pytest.mark.parametrize(("changes", "status", "code"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_invalid_request_is_refused(frozen: Simulators, changes: dict[str, Any], status: int, code: str) -> None:
    answer = send(frozen, **changes)

    assert (answer.status, answer.document["code"]) == (status, code)
    assert ledger(frozen) == []


@pytest.mark.parametrize(
    ("headers", "body"), [(JSON, b"{"), (FORM, b"subject=x"), ({"Content-Type": "text/plain"}, b"{}")]
)
def test_body_that_is_neither_json_nor_a_form_with_parts_is_malformed(
    frozen: Simulators, headers: dict[str, str], body: bytes
) -> None:
    answer = call(frozen, "POST", f"{PATH}/send", headers={**headers, **NOMSA_AUTH}, body=body)

    assert (answer.status, answer.document["code"]) == (400, "malformed")


@pytest.mark.parametrize("files", [[("a.txt", b"")] * 11, [("a.txt", bytes(2_000_001))]], ids=["eleven", "too large"])
def test_too_many_or_too_large_files_are_refused(frozen: Simulators, files: list[tuple[str, bytes]]) -> None:
    answer = send_form(frozen, *files)

    assert (answer.status, answer.document["code"]) == (413, "attachment_limit")


def test_ten_e_mails_a_second_are_taken(fast: Simulators) -> None:
    answers = [send(fast, f"sok{n}@example.com") for n in range(30, 42)]

    # A slow computer may need more than a second for twelve sends.
    assert [answer.status for answer in answers][:10] == [201] * 10
    throttled = [answer for answer in answers if answer.status == 429]
    assert all(answer.document["code"] == "rate_limit" for answer in throttled)
    call(fast, "POST", "/_reset")
    assert send(fast).status == 201


def test_lost_answer_leaves_an_e_mail_that_the_list_shows_by_its_tag(frozen: Simulators) -> None:
    with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
        send(frozen, "sok16@example.com", tag="t-1")
    send(frozen, tag="t-2")

    assert [row["recipient"] for row in get(frozen, "?tag=t-1")["data"]] == ["sok16@example.com"]
    assert [row["tag"] for row in get(frozen)["data"]] == ["t-2", "t-1"]
    assert ["params" in row for row in get(frozen, "?exclude_params=true")["data"]] == [False, False]
    assert get(frozen, "?status=bounced") == {"has_more": False, "data": []}


def test_failed_send_leaves_a_row_that_was_never_accepted(frozen: Simulators) -> None:
    send(frozen, "sok19@example.com")

    (row,) = get(frozen)["data"]
    assert (row["status"], row["accepted_at"]) == ("UNSENT", None)


def test_sms_and_e_mails_do_not_show_in_each_other(frozen: Simulators) -> None:
    email_id = send(frozen).document["id"]

    answer = call(frozen, "GET", f"/nomsa/v1/transactional/sms/{email_id}", headers=NOMSA_AUTH)
    assert (answer.status, answer.document["message"]) == (404, f"Sms message with ID {email_id} not found.")
    listed = call(frozen, "GET", "/nomsa/v1/transactional/sms", headers=NOMSA_AUTH).document
    assert listed == {"has_more": False, "data": []}
    assert get(frozen, "/7") == {"code": "not_found", "message": "Email message with ID 7 not found."}
