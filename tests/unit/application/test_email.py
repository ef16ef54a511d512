"""An e-mail from its request to its last status: its files, its copies, its pace and a lost answer."""

import json
from base64 import b64encode
from itertools import pairwise
from typing import Any

import pytest
from werkzeug.formparser import parse_form_data
from werkzeug.test import EnvironBuilder

from sampai.adapters.items import to_item
from sampai.domain.failure import Failure, Reason
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.message import AttachedFile, Attachments, Channel, Email
from sampai.domain.status import Status
from tests.fakes import START, statuses
from tests.harness.application import Application, lost, nomsa_list, request, unreached
from tests.harness.vendors import json_response, nomsa_email_row

FILES = (("bill.pdf", b"%PDF-\x00\xff"), ("empty.txt", b"\x00"), ("វិក្កយបត្រ.csv", b"1,2\n"))
JOINED = b"".join(data for _, data in FILES)


def email(message_id: str = "m-1", recipient: str = "sok@example.com", **changes: Any) -> str:
    content = {"type": "email", "subject": "Your bill", "body": "<p>1234</p>"}
    content |= {name: changes.pop(name) for name in ("reply_to", "cc", "bcc", "attachments") if name in changes}
    return request(message_id, channel="email", recipient=recipient, content=content, **changes)


def with_files(message_id: str = "m-1", **changes: Any) -> str:
    attachments = [{"file_name": name, "content_base64": b64encode(data).decode()} for name, data in FILES]
    return email(message_id, attachments=attachments, **changes)


def taken(provider_message_id: str = "14") -> HttpResponse:
    return json_response(201, nomsa_email_row(provider_message_id))


def files_in(sent: HttpRequest) -> list[tuple[str | None, bytes]]:
    """Return the files that a web framework reads from a request."""
    builder = EnvironBuilder(method="POST", data=sent.body, content_type=sent.headers["Content-Type"])
    _, _, files = parse_form_data(builder.get_environ(), silent=False)
    found = []
    for file in files.getlist("attachments"):
        with file.stream:
            found.append((file.filename, file.stream.read()))
    return found


# --- the way of an e-mail -------------------------------------------------------------------------------------------


def test_an_e_mail_is_read_in_the_end_and_its_events_show_no_address() -> None:
    opened = {"status": "OPENED", "opened_at": "2026-11-21T10:00:09.000Z"}
    app = Application(taken(), json_response(200, nomsa_email_row(**opened)))

    assert app.send(email("m-1", "Sok.Dara@EXAMPLE.com", cc=["copy@example.com"])) == []
    app.clock.advance(seconds=60)
    app.follow_up()

    assert statuses(app.message()) == [Status.SENDING, Status.ACCEPTED, Status.READ]
    assert json.loads(app.transport.requests[0].body)["recipient"] == "Sok.Dara@example.com"
    assert {event.detail["recipient"] for event in app.store.events} == {"S***@example.com"}
    assert {event.detail["channel"] for event in app.store.events} == {"email"}
    assert (app.message().content, app.message().due_at) == (None, None)
    shown = repr([app.store.events, app.bus.events, app.telemetry.lines])
    assert [secret for secret in ("Dara", "copy@", "1234", "bill") if secret in shown] == []


def test_the_same_address_in_another_case_of_its_domain_is_the_same_request() -> None:
    app = Application(taken())

    app.send(email("m-1", "sok@EXAMPLE.com"), email("m-1", "sok@example.com"))

    assert (len(app.transport.requests), app.bus.events) == (1, [])


def test_an_e_mail_without_a_route_and_one_to_a_provider_without_e_mail_fail() -> None:
    app = Application(taken(), settings={"routes": {"email": {"*": []}}})

    app.send(email("unrouted"), email("elsewhere", provider="smspoh"))

    assert [app.message("unrouted").failure, app.message("elsewhere").failure] == [
        Failure(reason=Reason.UNROUTABLE, detail="recipient: no route for its country and channel"),
        Failure(reason=Reason.UNSUPPORTED, detail="channel: smspoh does not offer it"),
    ]


def test_limits_on_countries_do_not_concern_addresses() -> None:
    app = Application(taken(), settings={"allowed_countries": ["MM"]})

    app.send(email("m-1", "+8801744977910@example.com"), request("m-2"))

    assert [app.message(name).status for name in ("m-1", "m-2")] == [Status.ACCEPTED, Status.FAILED]


@pytest.mark.parametrize(
    ("size", "failure"),
    [
        (700 * 1024, None),
        (
            700 * 1024 + 1,
            Failure(reason=Reason.TOO_LONG, detail="content.attachments: nomsa takes 716800 bytes in all"),
        ),
    ],
)
def test_files_have_a_limit_in_all(size: int, failure: Failure | None) -> None:
    halves = [b"a" * (size // 2), b"b" * (size - size // 2)]
    app = Application(taken())

    app.send(email(attachments=[{"file_name": "a", "content_base64": b64encode(h).decode()} for h in halves]))

    assert app.message().failure == failure
    assert [[data for _, data in files_in(sent)] for sent in app.transport.requests] == ([] if failure else [halves])


# --- files ----------------------------------------------------------------------------------------------------------


def test_files_are_stored_apart_and_deleted_when_the_vendor_has_accepted_the_e_mail() -> None:
    app = Application(unreached(), taken())

    assert app.send(with_files()) == []

    message = app.message()
    (key,) = app.media.files
    assert app.media.files == {key: JOINED}
    assert message.content == Email(
        subject="Your bill",
        body="<p>1234</p>",
        files=tuple(AttachedFile(file_name=name, size=len(data)) for name, data in FILES),
        media_key=key,
    )
    assert message.attachments == Attachments()
    assert "PDF" not in json.dumps(to_item(message))

    app.clock.advance(minutes=1)
    assert app.resume() == []

    assert app.message().status is Status.ACCEPTED
    assert [files_in(sent) for sent in app.transport.requests] == [list(FILES)] * 2
    assert app.media.files == {}


@pytest.mark.parametrize(
    "end",
    [json.dumps({"cancel": "m-1"}), None],
    ids=["canceled", "expired"],
)
def test_files_are_deleted_at_every_other_end(end: str | None) -> None:
    app = Application(taken())
    app.send(with_files(send_at="2026-11-21T10:10:00Z", expires_at="2026-11-21T10:10:01Z"))
    before = app.message()
    assert list(app.media.files.values()) == [JOINED]

    app.clock.advance(minutes=30)
    app.send(end) if end else app.follow_up()
    app.publisher.publish([(before, app.message())])

    assert app.message().status in (Status.CANCELED, Status.FAILED)
    assert app.media.files == {}
    assert app.transport.requests == []


def test_files_that_do_not_fit_the_e_mail_are_not_sent() -> None:
    app = Application(taken())
    app.send(with_files(send_at="2026-11-21T10:10:00Z"))
    app.media.files = dict.fromkeys(app.media.files, JOINED[:-1])

    app.clock.advance(minutes=10)
    app.resume()

    assert app.message().failure == Failure(reason=Reason.PROVIDER_ERROR, detail="no request could be built")
    assert app.transport.requests == []


# --- opt-out and quotas ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({}, "recipient: asked for no promotional messages"),
        ({"recipient": "SOK@Example.Com"}, "recipient: asked for no promotional messages"),
        ({"recipient": "a@a.kh", "cc": ["sok@example.com"]}, "content: a copy is for an opted-out address"),
        ({"recipient": "a@a.kh", "bcc": ["b@a.kh", "Sok@example.com"]}, "content: a copy is for an opted-out address"),
        ({"recipient": "dara@example.com"}, None),
    ],
)
def test_an_address_that_opted_out_gets_no_promotional_e_mail(changes: dict[str, Any], detail: str | None) -> None:
    app = Application(taken())
    app.send(json.dumps({"opt_out": "Sok@example.com"}))

    app.send(email("advert", category="promotional", **changes), email("bill", **changes))

    failure = None if detail is None else Failure(reason=Reason.OPTED_OUT, detail=detail)
    assert [app.message(name).failure for name in ("advert", "bill")] == [failure, None]


def test_quotas_count_an_address_in_any_case_and_know_no_prefix() -> None:
    limits = {"per_recipient_per_hour": 1, "per_prefix_per_hour": 1}
    app = Application(taken(), settings={"limits": limits})

    app.send(email("m-1", "sok@example.com"), email("m-2", "Sok@example.com"), email("m-3", "dara@example.com"))

    assert [app.failure_reason(name) for name in ("m-1", "m-2", "m-3")] == [None, Reason.BLOCKED, None]
    assert set(app.directory.counts) == {
        "recipient#sok@example.com#2026-11-21T10",
        "recipient#dara@example.com#2026-11-21T10",
    }


# --- pace -----------------------------------------------------------------------------------------------------------


def paced(**settings: Any) -> tuple[Application, list[tuple[str, float]]]:
    calls: list[tuple[str, float]] = []

    def answer(sent: HttpRequest) -> HttpResponse:
        calls.append(("email" if "/email/" in sent.url else "sms", (app.clock() - START).total_seconds()))
        return taken(str(len(calls)))

    app = Application(answer, settings={"providers": {"nomsa": settings}} if settings else {})
    return app, calls


def test_ten_e_mails_a_second_is_the_limit_of_all_workers_without_any_setting() -> None:
    app, calls = paced()

    for batch in range(3):
        app.clock.now = START
        app.send(*(email(f"m-{batch}-{n}") for n in range(10)), sender=app.new_sender())

    starts = sorted(at for _, at in calls)
    assert len(starts) == 30
    assert [later - earlier for earlier, later in pairwise(starts)] == pytest.approx([0.1] * 29)
    assert {name for name, _, _ in app.limiter.reservations} == {"nomsa#email"}
    assert {message.status for message in app.store.messages.values()} == {Status.ACCEPTED}


def test_e_mails_and_sms_of_one_provider_have_paces_of_their_own() -> None:
    app, calls = paced(max_per_second=20)

    app.send(*(email(f"e-{n}") for n in range(4)), *(request(f"s-{n}") for n in range(4)))

    assert {name: seconds for name, _, seconds in app.limiter.reservations} == {"nomsa": 0.2, "nomsa#email": 0.4}
    assert len(calls) == 8


def test_an_operator_changes_or_lifts_the_limit() -> None:
    faster, _ = paced(rates={"email": 50})
    faster.send(*(email(f"m-{n}") for n in range(10)))
    lifted, _ = paced(rates={"email": None})
    lifted.send(*(email(f"m-{n}") for n in range(10)))

    assert [seconds for _, _, seconds in faster.limiter.reservations] == [0.2]
    assert lifted.limiter.asked == 0


# --- a lost answer --------------------------------------------------------------------------------------------------

SENT = {"status": "SENT", "sent_at": "2026-11-21T10:00:05.000Z"}
ROWS: list[tuple[str, list[dict[str, Any]], Status]] = [
    ("our tag", [nomsa_email_row(tag="sampai:m-1", **SENT)], Status.SENT),
    (
        "our tag, and a text that the vendor changed",
        [nomsa_email_row(tag="sampai:m-1", params=None, **SENT)],
        Status.SENT,
    ),
    (
        "our tag beside the same e-mail of another",
        [nomsa_email_row("13", tag="sampai:m-0", **SENT), nomsa_email_row(tag="sampai:m-1", **SENT)],
        Status.SENT,
    ),
    ("the tag of another", [nomsa_email_row(tag="sampai:m-0", **SENT)], Status.UNKNOWN),
    ("no tag, the same e-mail", [nomsa_email_row(**SENT)], Status.SENT),
    ("no tag, an address in another case", [nomsa_email_row(recipient="sok@example.com", **SENT)], Status.SENT),
    ("a tag of the operator, the same e-mail", [nomsa_email_row(tag="bills", **SENT)], Status.SENT),
    ("no tag, twice", [nomsa_email_row("13", **SENT), nomsa_email_row("14", **SENT)], Status.UNKNOWN),
    ("no tag, another address", [nomsa_email_row(recipient="sok@example.org", **SENT)], Status.UNKNOWN),
    (
        "no tag, another subject",
        [nomsa_email_row(params={"subject": "Your offer", "body": "<p>1234</p>"}, **SENT)],
        Status.UNKNOWN,
    ),
    (
        "no tag, another body",
        [nomsa_email_row(params={"subject": "Your bill", "body": "<p>5678</p>"}, **SENT)],
        Status.UNKNOWN,
    ),
    ("no tag, an hour ago", [nomsa_email_row(created_at="2026-11-21T09:00:00.000Z", **SENT)], Status.UNKNOWN),
    ("a row of a failed send", [nomsa_email_row(tag="sampai:m-1", status="UNSENT", accepted_at=None)], Status.UNKNOWN),
]


@pytest.mark.parametrize(("rows", "status"), [r[1:] for r in ROWS], ids=[r[0] for r in ROWS])
def test_a_lost_answer_is_found_in_the_list(rows: list[dict[str, Any]], status: Status) -> None:
    app = Application(lost(), nomsa_list(*rows))
    app.send(email(recipient="Sok@example.com"))
    app.clock.advance(seconds=60)

    app.follow_up()

    assert app.message().status is status
    assert app.message().provider_message_id == (None if status is Status.UNKNOWN else "14")
    assert app.transport.requests[1].url.partition("?")[0].endswith("/transactional/email")


def test_an_e_mail_that_no_list_shows_is_sent_again_only_if_its_caller_allows_it() -> None:
    app = Application(lost(), nomsa_list(), nomsa_list(), taken())
    app.send(with_files(on_unknown="resend"))

    for _ in range(2):
        app.clock.advance(hours=1)
        app.follow_up()
    app.resume()

    assert app.message().status is Status.ACCEPTED
    assert files_in(app.transport.requests[-1]) == list(FILES)
    assert app.message().channel is Channel.EMAIL
