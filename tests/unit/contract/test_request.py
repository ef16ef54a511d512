"""Requests other than a text to one number: files, templates, audiences, conversations, opt-outs."""

import json
from datetime import timedelta
from typing import Any

import pytest

from sampai.contract.events import request_rejected
from sampai.contract.request import (
    AttachmentContent,
    Audience,
    EmailContent,
    MediaContent,
    OptInRequest,
    OptOutRequest,
    SendRequest,
    TemplateContent,
    TextContent,
    parse_request,
)
from sampai.domain.failure import Failure, Reason
from sampai.domain.http import HttpResponse
from sampai.domain.message import Channel
from sampai.domain.status import Status
from tests.fakes import START, Reply, statuses
from tests.harness.application import Application, lost, request

VALUE = "8412-secret"
"""A value that no answer may show."""

NUMBER = "+85591234510"


def media(**changes: Any) -> str:
    document = {"type": "media", "media_url": "https://a.example/f.pdf"}
    return request(content=_with(document, changes))


def file(media_base64: str | None = "AAEC", file_name: str | None = "f.pdf", **changes: Any) -> str:
    return media(media_url=None, media_base64=media_base64, file_name=file_name, **changes)


def template(**changes: Any) -> str:
    return request(content=_with({"type": "template", "template_id": "t-1"}, changes))


def email(recipient: object = "sok@example.com", **changes: Any) -> str:
    fields: dict[str, Any] = {name: changes.pop(name) for name in ("channel", "sender") if name in changes}
    content = _with({"type": "email", "subject": "Your bill", "body": "<p>1234</p>"}, changes)
    return request(**{"channel": "email", "recipient": recipient, "content": content, **fields})


def audience(**changes: Any) -> str:
    return request(**{"recipient": None, "audience": {"lists": ["6415907d0d37a"]}} | changes)


def reply(room_id: object = "room-1", **changes: Any) -> str:
    document: dict[str, Any] = {"room_id": room_id, "channel": "whatsapp_official"}
    return request(**document | changes)


def _with(document: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (document | changes).items() if value is not None}


def asked(**fields: Any) -> SendRequest:
    plain: dict[str, Any] = {"recipient": NUMBER, "content": TextContent(type="text", text="Your code is 1234")}
    return SendRequest(message_id="m-1", **plain | fields)


URL = "https://a.example/f.pdf"
OFFICIAL = Channel.WHATSAPP_OFFICIAL

GOOD: list[tuple[str, str, object]] = [
    ("a file at an address", media(), asked(content=MediaContent(type="media", media_url=URL))),
    (
        "a file at an address with all that an address has",
        media(media_url="HTTPS://a.example:8443/f%20f.pdf?a=b&c#d", caption="Your bill\n😀"),
        asked(
            content=MediaContent(
                type="media", media_url="HTTPS://a.example:8443/f%20f.pdf?a=b&c#d", caption="Your bill\n😀"
            )
        ),
    ),
    (
        "a file in the request",
        file("AA==", "វិក្កយបត្រ 1.pdf"),
        asked(content=MediaContent(type="media", media_base64="AA==", file_name="វិក្កយបត្រ 1.pdf")),
    ),
    ("a template", template(), asked(content=TemplateContent(type="template", template_id="t-1"))),
    (
        "a template filled by texts",
        template(parameters=["Dara", "1234"], recipient_name="Dara"),
        asked(
            content=TemplateContent(
                type="template", template_id="t-1", parameters=["Dara", "1234"], recipient_name="Dara"
            )
        ),
    ),
    (
        "a template filled part by part",
        template(parameters={"body": [{"key": 1, "value": "code", "value_text": "1234"}]}),
        asked(
            content=TemplateContent(
                type="template",
                template_id="t-1",
                parameters={"body": [{"key": 1, "value": "code", "value_text": "1234"}]},
            )
        ),
    ),
    (
        "an e-mail",
        email("Sok.Dara@EXAMPLE.com"),
        asked(
            channel=Channel.EMAIL,
            recipient="Sok.Dara@example.com",
            content=EmailContent(type="email", subject="Your bill", body="<p>1234</p>"),
        ),
    ),
    (
        "an e-mail with all that it may have",
        email(
            sender="ក្រសួង <no-reply@example.com>",
            reply_to="help@EXAMPLE.com",
            cc=["dara@example.com"],
            bcc=["archive@example.com"] * 20,
            attachments=[{"file_name": "វិក្កយបត្រ 1.pdf", "content_base64": "AA=="}] * 10,
        ),
        asked(
            channel=Channel.EMAIL,
            recipient="sok@example.com",
            sender="ក្រសួង <no-reply@example.com>",
            content=EmailContent(
                type="email",
                subject="Your bill",
                body="<p>1234</p>",
                reply_to="help@example.com",
                cc=("dara@example.com",),
                bcc=("archive@example.com",) * 20,
                attachments=(AttachmentContent(file_name="វិក្កយបត្រ 1.pdf", content_base64="AA=="),) * 10,
            ),
        ),
    ),
    ("an audience", audience(), asked(recipient=None, audience=Audience(lists=("6415907d0d37a",)))),
    (
        "ten lists",
        audience(audience={"lists": ["à la carte", *"bcdefghij"]}),
        asked(recipient=None, audience=Audience(lists=("à la carte", *"bcdefghij"))),
    ),
    ("a reply", reply(recipient=None), asked(recipient=None, room_id="room-1", channel=OFFICIAL)),
    ("a reply to a number", reply("a" * 64), asked(room_id="a" * 64, channel=OFFICIAL)),
    ("a wish to be left alone", json.dumps({"opt_out": NUMBER}), OptOutRequest(opt_out=NUMBER)),
    ("a wish to hear again", json.dumps({"opt_in": NUMBER}), OptInRequest(opt_in=NUMBER)),
    (
        "a wish of an address",
        json.dumps({"opt_out": "Sok@EXAMPLE.com"}),
        OptOutRequest(opt_out="Sok@example.com"),
    ),
]


@pytest.mark.parametrize(("body", "expected"), [g[1:] for g in GOOD], ids=[g[0] for g in GOOD])
def test_valid_request_is_read_completely(body: str, expected: object) -> None:
    assert parse_request(body, now=START) == expected


@pytest.mark.parametrize("body", [g[1] for g in GOOD], ids=[g[0] for g in GOOD])
def test_repr_of_a_request_shows_neither_number_nor_text_nor_file(body: str) -> None:
    shown = repr(parse_request(body, now=START))

    assert [
        said for said in ("1234", "Dara", "bill", "a.example", "AA==", "pdf", "example.com'", NUMBER) if said in shown
    ] == []


# --- invalid ----------------------------------------------------------------------------------------------------------

A_URL = "content.media_url: must be an https URL in ASCII, without credentials or spaces"
BASE64 = "content.media_base64: must be base64 with padding, without line breaks"
FILE_RULE = 'must be 1 to 128 characters, none of them /, \\, " or a control character'
FILE_NAME = f"content.file_name: {FILE_RULE}"
TYPES = "content: type must be text, media, template or email"
LISTS = "audience.lists.1: must be 1 to 100 characters, none of them a comma or a control character"
CONVERSATION = "room_id: must be 1 to 64 of A-Z a-z 0-9 -"
E164 = "must be exactly one E.164 number: + and 7 to 15 ASCII digits"
ADDRESS = "must be exactly one e-mail address in ASCII, of at most 254 characters"
LINE = "content.subject: must be one line without control characters"
CHANNEL = "content.type: email, and only that, on the channel email"
SENDER = "sender: must be an e-mail address, or a name and an address in <>"

BAD: list[tuple[str, str, str]] = [
    ("no file", media(media_url=None), "content: must have either media_url or media_base64"),
    ("two files", media(media_base64="AAEC", file_name="f.pdf"), "content: must have either media_url or media_base64"),
    ("a file without a name", file(file_name=None), "content: media_base64 and file_name go together"),
    ("a name without a file", media(file_name="f.pdf"), "content: media_base64 and file_name go together"),
    ("plain http", media(media_url=f"http://a.example/{VALUE}"), A_URL),
    ("no scheme", media(media_url=f"a.example/{VALUE}"), A_URL),
    ("a data URL", media(media_url=f"data:text/plain,{VALUE}"), A_URL),
    ("a user", media(media_url=f"https://u:{VALUE}@a.example/"), A_URL),
    ("no host", media(media_url=f"https:///{VALUE}"), A_URL),
    ("a blank", media(media_url=f"https://a.example/ {VALUE}"), A_URL),
    ("a newline", media(media_url=f"https://a.example/\n{VALUE}"), A_URL),
    ("a tab in the host", media(media_url=f"https://a.exa\tmple/{VALUE}"), A_URL),
    ("a control character", media(media_url=f"https://a.example/\x7f{VALUE}"), A_URL),
    ("letters of another script", media(media_url=f"https://a.example/ü{VALUE}"), A_URL),
    ("a host that normalises to another", media(media_url=f"https://{VALUE}℀.example/"), A_URL),
    ("brackets around no address", media(media_url=f"https://[{VALUE}]/"), A_URL),
    ("half a bracket", media(media_url=f"https://[{VALUE}"), A_URL),
    ("a number as URL", media(media_url=8412), "content.media_url: must be a text"),
    (
        "a long URL",
        media(media_url="https://a.example/" + VALUE * 200),
        "content.media_url: must have at most 2048 characters",
    ),
    ("an empty file", file(""), "content.media_base64: must have at least 4 characters"),
    ("nothing but padding", file("===="), BASE64),
    ("padding missing", file("AAECA"), BASE64),
    ("padding in the middle", file("AA==AAEC"), BASE64),
    ("a line break", file("AAEC\nAAEC"), BASE64),
    ("base64 for URLs", file("AA-_"), BASE64),
    ("no base64", file("ééé" + VALUE), BASE64),
    ("a folder in the name", file(file_name=f"../{VALUE}"), FILE_NAME),
    ("a folder in the name, from Windows", file(file_name=f"c:\\{VALUE}"), FILE_NAME),
    ("a quote in the name", file(file_name=f'"{VALUE}'), FILE_NAME),
    ("a newline behind the name", file(file_name=f"{VALUE}\n"), FILE_NAME),
    ("no name", file(file_name=""), FILE_NAME),
    ("a long name", file(file_name=VALUE * 12), FILE_NAME),
    ("an empty caption", media(caption=""), "content.caption: must not be empty"),
    ("a text with a file", media(text=VALUE), "content.text: unknown field"),
    ("a field that is somebody's text", media(**{VALUE: 1}), "content.…: unknown field"),
    ("an unknown kind", request(content={"type": VALUE, "text": VALUE}), TYPES),
    ("no kind", request(content={"text": VALUE}), TYPES),
    ("a number as kind", request(content={"type": 8412}), TYPES),
    ("a list as kind", request(content={"type": ["media"]}), TYPES),
    ("a bare text", request(content=VALUE), TYPES),
    ("a list of contents", request(content=[{"type": "text", "text": VALUE}]), TYPES),
    ("no template", template(template_id=None), "content.template_id: required"),
    ("an empty template", template(template_id=""), "content.template_id: must not be empty"),
    (
        "a long template",
        template(template_id=VALUE * 12),
        "content.template_id: must have at most 128 characters",
    ),
    (
        "an empty name",
        template(recipient_name=""),
        "content.recipient_name: must not be empty",
    ),
    ("a text as parameters", template(parameters=VALUE), "content.parameters: must be an object"),
    ("numbers as parameters", template(parameters=[8412]), "content.parameters: body: must be an object"),
    (
        "too many parameters",
        template(parameters=[VALUE] * 31),
        "content.parameters: body: must be a list of at most 30",
    ),
    (
        "a parameter that is too long",
        template(parameters=[VALUE * 200]),
        "content.parameters: body: must be a text of 1 to 2048 characters",
    ),
    (
        "an unknown part",
        template(parameters={VALUE: []}),
        "content.parameters: has other fields than body, buttons, header",
    ),
    (
        "a header without format",
        template(parameters={"header": {"params": [{"key": "url", "value": VALUE}]}}),
        "content.parameters: header.format: must be a text of 1 to 32 characters",
    ),
    (
        "a long key",
        template(parameters={"body": [{"key": 10**70, "value_text": VALUE}]}),
        "content.parameters: body.key: must be a text of 1 to 64 characters",
    ),
    ("a text with a template", template(text=VALUE), "content.text: unknown field"),
    ("an address on SMS", request(recipient=f"{VALUE}@example.com"), f"recipient: {E164}"),
    ("an address on WhatsApp", request(recipient=f"{VALUE}@a.kh", channel="whatsapp"), f"recipient: {E164}"),
    ("a number on e-mail", email(NUMBER), f"recipient: {ADDRESS}"),
    ("two addresses", email(f"{VALUE}@a.kh,b@a.kh"), f"recipient: {ADDRESS}"),
    ("an address with a name", email(f"Sok <{VALUE}@a.kh>"), f"recipient: {ADDRESS}"),
    ("a line break behind the address", email(f"{VALUE}@a.kh\n"), f"recipient: {ADDRESS}"),
    ("a header in the address", email(f"a@a.kh\r\nBcc: {VALUE}@a.kh"), f"recipient: {ADDRESS}"),
    ("an address that is too long", email(f"a@{'a.' * 126}{VALUE}"), f"recipient: {ADDRESS}"),
    ("an address as a number", email(8412), "recipient: must be a text"),
    ("an e-mail to nobody", email(None), "recipient: required, unless audience or room_id is given"),
    ("a label for a From address", email(sender=VALUE), SENDER),
    ("a header in the From address", email(sender=f"Sok\nBcc: {VALUE}@a.kh <a@a.kh>"), SENDER),
    ("a From address with two", email(sender=f"{VALUE}@a.kh, b@a.kh"), SENDER),
    ("a long label", request(sender=VALUE * 8), "sender: must be 1 to 64 printable ASCII characters"),
    ("a label of another script", request(sender="ក្រសួង"), "sender: must be 1 to 64 printable ASCII characters"),
    ("an e-mail on SMS", email(NUMBER, channel="sms"), CHANNEL),
    ("a text on e-mail", request(recipient="a@a.kh", channel="email"), CHANNEL),
    ("no subject", email(subject=None), "content.subject: required"),
    ("an empty subject", email(subject=""), "content.subject: must not be empty"),
    ("a long subject", email(subject=VALUE * 24), "content.subject: must have at most 255 characters"),
    ("a header in the subject", email(subject=f"x\r\nBcc: {VALUE}@a.kh"), LINE),
    ("a NUL in the subject", email(subject=f"x\x00{VALUE}"), LINE),
    ("a line of another standard", email(subject=f"x\u2028{VALUE}"), LINE),
    ("no body", email(body=None), "content.body: required"),
    ("an empty body", email(body=""), "content.body: must not be empty"),
    ("a list to reply to", email(reply_to=["a@a.kh"]), "content.reply_to: must be a text"),
    ("a name to reply to", email(reply_to=f"Sok <{VALUE}@a.kh>"), f"content.reply_to: {ADDRESS}"),
    ("a copy to a text", email(cc=f"{VALUE}@a.kh"), "content.cc: must be a list"),
    ("a copy to a list in one", email(cc=[f"{VALUE}@a.kh;b@a.kh"]), f"content.cc.0: {ADDRESS}"),
    ("a copy with a header", email(bcc=["a@a.kh", f"b@a.kh\r\nX: {VALUE}"]), f"content.bcc.1: {ADDRESS}"),
    (
        "too many copies",
        email(bcc=[f"{VALUE}@a.kh"] * 21),
        "content.bcc: must have at most 20 entries",
    ),
    (
        "too many files",
        email(attachments=[{"file_name": VALUE, "content_base64": "AA=="}] * 11),
        "content.attachments: must have at most 10 entries",
    ),
    (
        "a file without a name of its own",
        email(attachments=[{"content_base64": "AA=="}]),
        "content.attachments.0.file_name: required",
    ),
    (
        "a header in the name of a file",
        email(attachments=[{"file_name": f"a\r\n{VALUE}", "content_base64": "AA=="}]),
        f"content.attachments.0.file_name: {FILE_RULE}",
    ),
    (
        "a file that is no base64",
        email(attachments=[{"file_name": "a", "content_base64": VALUE}]),
        "content.attachments.0.content_base64: must be base64 with padding, without line breaks",
    ),
    ("a text with an e-mail", email(text=VALUE), "content.text: unknown field"),
    ("nobody", request(recipient=None), "recipient: required, unless audience or room_id is given"),
    (
        "an audience and a number",
        audience(recipient=NUMBER),
        "audience: cannot be combined with recipient or room_id",
    ),
    (
        "an audience and a conversation",
        audience(room_id="room-1", channel="whatsapp_official"),
        "audience: cannot be combined with recipient or room_id",
    ),
    ("an audience of a bare list", audience(audience=[VALUE]), "audience: must be an object"),
    ("an audience without lists", audience(audience={}), "audience.lists: required"),
    ("lists in a text", audience(audience={"lists": VALUE}), "audience.lists: must be a list"),
    (
        "no list",
        audience(audience={"lists": []}),
        "audience.lists: must not be empty",
    ),
    (
        "eleven lists",
        audience(audience={"lists": [VALUE] * 11}),
        "audience.lists: must have at most 10 entries",
    ),
    ("a comma in a list", audience(audience={"lists": ["fine", f"{VALUE},{VALUE}"]}), LISTS),
    ("a newline in a list", audience(audience={"lists": ["fine", f"{VALUE}\n"]}), LISTS),
    ("an empty list name", audience(audience={"lists": ["fine", ""]}), LISTS),
    ("a long list name", audience(audience={"lists": ["fine", VALUE * 10]}), LISTS),
    (
        "a number as list",
        audience(audience={"lists": ["fine", 8412]}),
        "audience.lists.1: must be a text",
    ),
    ("more in an audience", audience(audience={"lists": ["fine"], VALUE: 1}), "audience.…: unknown field"),
    ("a conversation by SMS", reply(channel="sms"), "room_id: whatsapp_official only"),
    ("a conversation without a channel", reply(channel=None), "room_id: whatsapp_official only"),
    ("a conversation by WhatsApp", reply(channel="whatsapp"), "room_id: whatsapp_official only"),
    ("an empty conversation", reply(""), CONVERSATION),
    ("a conversation with a blank", reply(f"{VALUE} "), CONVERSATION),
    ("a conversation with a newline", reply("room-1\n"), CONVERSATION),
    ("a long conversation", reply("a" * 65), CONVERSATION),
    ("a number as conversation", reply(8412), "room_id: must be a text"),
]

BAD_WISHES: list[tuple[str, dict[str, Any], str]] = [
    ("no plus", {"opt_out": "85591238412"}, f"opt_out: {E164}; put + and the country code first"),
    ("two numbers", {"opt_out": "+85591238412,+85591238413"}, f"opt_out: {E164}"),
    ("a newline", {"opt_out": "+85591238412\n"}, f"opt_out: {E164}; leave out spaces and other separators"),
    ("two addresses", {"opt_out": "8412@a.kh,b@a.kh"}, f"opt_out: {ADDRESS}"),
    ("a name", {"opt_out": "8412 <a@a.kh>"}, f"opt_out: {ADDRESS}"),
    ("a list", {"opt_out": ["+85591238412"]}, "opt_out: must be a text"),
    ("nobody", {"opt_out": None}, "opt_out: must be a text"),
    ("a number", {"opt_out": 85591238412}, "opt_out: must be a text"),
    ("no plus, to start", {"opt_in": "85591238412"}, f"opt_in: {E164}; put + and the country code first"),
    ("more to say", {"opt_in": NUMBER, "8412": VALUE}, "…: unknown field"),
    ("both wishes", {"opt_out": NUMBER, "opt_in": NUMBER}, "opt_in: unknown field"),
    ("a wish and a cancel", {"opt_in": NUMBER, "cancel": "m-9"}, "opt_in: unknown field"),
]


@pytest.mark.parametrize(("body", "detail"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_invalid_request_fails_with_the_name_of_its_field_and_alone(body: str, detail: str) -> None:
    app = Application()

    unfinished = app.send(request("before"), body, request("after"))

    assert unfinished == []
    assert (app.message().status, app.message().failure) == (
        Status.FAILED,
        Failure(reason=Reason.INVALID_REQUEST, detail=detail),
    )
    assert [app.message(name).status for name in ("before", "after")] == [Status.ACCEPTED] * 2
    assert len(app.transport.requests) == 2
    assert VALUE not in repr([app.message(), app.store.events, app.bus.events, app.telemetry.lines])


@pytest.mark.parametrize(("consent", "detail"), [b[1:] for b in BAD_WISHES], ids=[b[0] for b in BAD_WISHES])
def test_invalid_opt_out_changes_nothing_and_is_rejected(consent: dict[str, Any], detail: str) -> None:
    app = Application()

    unfinished = app.send(request("before"), json.dumps(consent), request("after"))

    assert unfinished == []
    assert app.directory.consents == {}
    assert app.bus.events == [request_rejected("r-2", "invalid_request", detail)]
    assert [app.message(name).status for name in ("before", "after")] == [Status.ACCEPTED] * 2
    assert "8412" not in repr([app.message("r-2"), app.store.events, app.bus.events, app.telemetry.lines])


# --- audiences --------------------------------------------------------------------------------------------------------

LIST = "6415907d0d37a"


def campaign(message_id: str = "m-1", **changes: Any) -> str:
    return request(message_id, **({"recipient": None, "audience": {"lists": [LIST]}, "provider": "smsnoc"} | changes))


def smsnoc(data: object) -> HttpResponse:
    return HttpResponse(status=200, body=json.dumps({"status": "success", "data": data}).encode())


TAKEN = smsnoc({"uid": "606812e63f78b", "status": "Queued"})


def horizon(app: Application) -> timedelta:
    return timedelta(hours=app.settings.settings.report_horizon_hours)


def test_message_to_lists_goes_out_in_one_call() -> None:
    app = Application(TAKEN)

    assert app.send(campaign(audience={"lists": [LIST, "6415907d0d37b", LIST]})) == []

    (sent,) = app.transport.requests
    assert sent.url == "https://app.smsnoc.com/api/v3/sms/campaign"
    assert json.loads(sent.body)["contact_list_id"] == f"{LIST},6415907d0d37b"
    message = app.message()
    assert (message.status, message.provider_message_id) == (Status.ACCEPTED, "606812e63f78b")
    assert (message.recipient, message.audience) == (None, (LIST, "6415907d0d37b", LIST))
    assert [event.detail["recipient"] for event in app.store.events] == [None, None]


UNCARRIED: list[tuple[str, dict[str, Any], Failure]] = [
    (
        "no vendor named",
        {"provider": None},
        Failure(
            reason=Reason.UNROUTABLE, detail="provider: needed with an audience, which is known to one vendor alone"
        ),
    ),
    (
        "a vendor without lists",
        {"provider": "smspoh"},
        Failure(reason=Reason.UNSUPPORTED, detail="audience: smspoh takes no lists on sms"),
    ),
    (
        "a list too many",
        {"provider": "nusasms", "audience": {"lists": ["a", "b"]}},
        Failure(reason=Reason.UNSUPPORTED, detail="audience: nusasms takes 1 list on sms"),
    ),
    (
        "a list that the vendor cannot have",
        {"audience": {"lists": [f"{VALUE} "]}},
        Failure(
            reason=Reason.INVALID_RECIPIENT, detail="audience.lists: smsnoc takes ids of up to 40 letters and digits"
        ),
    ),
]


@pytest.mark.parametrize(("changes", "failure"), [u[1:] for u in UNCARRIED], ids=[u[0] for u in UNCARRIED])
def test_message_to_unsupported_lists_fails_without_a_call(changes: dict[str, Any], failure: Failure) -> None:
    app = Application(TAKEN)

    app.send(campaign(**changes))

    assert app.message().failure == failure
    assert app.transport.requests == []


@pytest.mark.parametrize(
    ("reply", "status"), [(TAKEN, Status.ACCEPTED), (lost(), Status.UNKNOWN)], ids=["accepted", "unknown"]
)
def test_message_to_lists_is_never_polled_and_ends_unconfirmed(reply: Reply, status: Status) -> None:
    app = Application(reply)
    app.send(campaign())
    begun = app.clock.now

    while app.clock.now < begun + horizon(app) - timedelta(hours=1):
        app.clock.advance(hours=1)
        app.follow_up()
    assert app.message().status is status
    app.clock.advance(hours=7)
    app.follow_up()

    assert statuses(app.message()) == [Status.SENDING, status, Status.UNCONFIRMED]
    assert len(app.transport.requests) == 1


def test_message_to_a_number_is_polled_even_beside_one_to_lists() -> None:
    row = {"uid": "606812e63f78c", "to": "8801744977910", "message": "Your code is 1234", "status": "Delivered"}
    app = Application(TAKEN, smsnoc(row | {"status": "Queued"}), smsnoc(row))
    app.send(campaign("to-lists"))
    app.send(request("to-one", home="smsnoc"))

    app.clock.advance(minutes=10)
    app.follow_up()

    assert [app.message(name).status for name in ("to-lists", "to-one")] == [Status.ACCEPTED, Status.DELIVERED]


def test_lost_campaign_is_not_reconciled_with_a_listed_message() -> None:
    row = {"uid": "606812e63f78c", "to": "", "message": "Your code is 1234", "status": "Delivered"}
    app = Application(lost(), smsnoc({"data": [row], "last_page": 1, "next_page_url": None}))
    app.send(campaign("to-lists"), request("to-one", home="smsnoc"))

    app.clock.advance(seconds=15)
    app.follow_up()

    assert app.message("to-lists").status is Status.UNKNOWN
