"""The cases of NusaSMS, WhatsApp Official. Requests and answers are its page's; refusals are made up in its style."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sampai.domain.account import AccountStatus
from sampai.domain.failure import Failure, Reason
from sampai.domain.http import HttpRequest, HttpResponse, WebhookRequest
from sampai.domain.inbound import Inbound
from sampai.domain.message import Attachments, Channel, Media, Message, Text
from sampai.domain.outcome import FailureScope, NotTaken, Outcome, Taken, Unknown
from sampai.domain.report import Report
from sampai.domain.status import Status
from sampai.domain.template import BodyParameter, Button, Header, Parameters, Template, TemplateInfo
from sampai.providers.base import ProviderConfig
from tests.conformance.case import AccountAnswer, Answer, BadWebhook, ProviderCases, Refusal, Send, Webhook

BASE = "https://nusasms.example"
ROOT = f"{BASE}/nusasms_api/1.0/wa_official"
HEADERS = {"APIKey": "not-a-real-key", "Accept": "application/json"}
T0 = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
TEMPLATE = "65a08d56-a2b9-45f5-98d3-98671e639055"
CHANNEL = "15974c27-3116-49f4-8627-5fc30b0c66d8"
ANOTHER_CHANNEL = "0d9f4a35-7c26-4b0e-9a11-3f6de5b0a7c2"
CONVERSATION = "9d1c1f5e-fb79-4c3e-b19e-546f761dfebf"


def message(**changes: Any) -> Message:
    plain: dict[str, Any] = {
        "message_id": "order-4711",
        "status": Status.SENDING,
        "channel": Channel.WHATSAPP_OFFICIAL,
        "recipient": "+62822344641960",
        "content": Template(
            template_id=TEMPLATE,
            parameters=Parameters(body=(BodyParameter(key="1", value="code", value_text="0815-7"),)),
        ),
        "created_at": T0,
        "updated_at": T0,
        "occurred_at": T0,
    }
    return Message(**{**plain, **changes})


def reply(**changes: Any) -> Message:
    return message(**{"room_id": CONVERSATION, "recipient": None, "content": Text(text="Contoh text"), **changes})


def options(**given: object) -> dict[str, dict[str, object]]:
    return {"nusasms": given}


def broadcast(body: str) -> HttpRequest:
    return HttpRequest(
        method="POST",
        url=f"{ROOT}/message/broadcast",
        headers={**HEADERS, "Content-Type": "application/json"},
        body=body.encode(),
    )


def replied(boundary: str, body: bytes) -> HttpRequest:
    return HttpRequest(
        method="POST",
        url=f"{ROOT}/message/reply",
        headers={**HEADERS, "Content-Type": f"multipart/form-data; boundary={boundary}"},
        body=body.replace(b"\n", b"\r\n"),
    )


SENDS = (
    Send(
        title="a template with one value",
        message=message(),
        request=broadcast(
            '{"destination":"62822344641960","destination_name":"62822344641960",'
            '"template_id":"65a08d56-a2b9-45f5-98d3-98671e639055","channel_id":"15974c27-3116-49f4-8627-5fc30b0c66d8",'
            '"parameters":{"body":[{"key":"1","value":"code","value_text":"0815-7"}]}}'
        ),
    ),
    Send(
        title="a template with everything, to a name, from another channel",
        message=message(
            sender=ANOTHER_CHANNEL,
            content=Template(
                template_id=TEMPLATE,
                recipient_name="Siti Aminah",
                parameters=Parameters(
                    header=Header(
                        format="DOCUMENT",
                        params=(("url", "https://example.com/invoice-0815.pdf"), ("filename", "example.pdf")),
                    ),
                    body=(BodyParameter(key="1", value="code", value_text="0815-7 😀"),),
                    buttons=(Button(index="0", type="url", value="/url_endpoint?arg1=value"),),
                ),
            ),
        ),
        request=broadcast(
            '{"destination":"62822344641960","destination_name":"Siti Aminah",'
            '"template_id":"65a08d56-a2b9-45f5-98d3-98671e639055","channel_id":"0d9f4a35-7c26-4b0e-9a11-3f6de5b0a7c2",'
            '"parameters":{"header":{"format":"DOCUMENT","params":'
            '[{"key":"url","value":"https://example.com/invoice-0815.pdf"},{"key":"filename","value":"example.pdf"}]},'
            '"body":[{"key":"1","value":"code","value_text":"0815-7 😀"}],'
            '"buttons":[{"index":"0","type":"url","value":"/url_endpoint?arg1=value"}]}}'
        ),
    ),
    Send(
        title="a template without values, with an option that is for replies",
        message=message(content=Template(template_id=TEMPLATE), provider_options=options(media_type="image")),
        request=broadcast(
            '{"destination":"62822344641960","destination_name":"62822344641960",'
            '"template_id":"65a08d56-a2b9-45f5-98d3-98671e639055","channel_id":"15974c27-3116-49f4-8627-5fc30b0c66d8"}'
        ),
    ),
    Send(
        title="a reply",
        message=reply(),
        request=replied(
            "52a71d60d2e620250b4c93309bb2e057",
            b"""\
--52a71d60d2e620250b4c93309bb2e057
Content-Disposition: form-data; name="room_id"

9d1c1f5e-fb79-4c3e-b19e-546f761dfebf
--52a71d60d2e620250b4c93309bb2e057
Content-Disposition: form-data; name="type"

text
--52a71d60d2e620250b4c93309bb2e057
Content-Disposition: form-data; name="text"

Contoh text
--52a71d60d2e620250b4c93309bb2e057--
""",
        ),
    ),
    Send(
        title="a reply with a file that the vendor fetches",
        message=reply(
            recipient="+62822344641960",
            content=Media(media_url="https://example.com/a/kamar.JPG?size=2", caption="Kamar 😀"),
        ),
        request=replied(
            "5e9da782866330bf930472521eb6332f",
            """\
--5e9da782866330bf930472521eb6332f
Content-Disposition: form-data; name="room_id"

9d1c1f5e-fb79-4c3e-b19e-546f761dfebf
--5e9da782866330bf930472521eb6332f
Content-Disposition: form-data; name="type"

image
--5e9da782866330bf930472521eb6332f
Content-Disposition: form-data; name="text"

Kamar 😀
--5e9da782866330bf930472521eb6332f
Content-Disposition: form-data; name="file_url"

https://example.com/a/kamar.JPG?size=2
--5e9da782866330bf930472521eb6332f--
""".encode(),
        ),
    ),
    Send(
        title="a reply with a file of our own",
        message=reply(
            content=Media(media_key="order-4711/0f/1", file_name="to-file.png", size=7, caption="Image caption"),
            attachments=Attachments(file=b"\x89PNG\x00\xff\xfe"),
        ),
        request=replied(
            "6053a4247c236d3c0bc776044e5cd9f1",
            b"""\
--6053a4247c236d3c0bc776044e5cd9f1
Content-Disposition: form-data; name="room_id"

9d1c1f5e-fb79-4c3e-b19e-546f761dfebf
--6053a4247c236d3c0bc776044e5cd9f1
Content-Disposition: form-data; name="type"

image
--6053a4247c236d3c0bc776044e5cd9f1
Content-Disposition: form-data; name="text"

Image caption
--6053a4247c236d3c0bc776044e5cd9f1
Content-Disposition: form-data; name="file"; filename="to-file.png"
Content-Type: image/png

\x89PNG\x00\xff\xfe
--6053a4247c236d3c0bc776044e5cd9f1--
""",
        ),
    ),
    Send(
        title="a file of a kind that WhatsApp does not show is a document",
        message=reply(
            content=Media(media_key="order-4711/0f/1", file_name="laporan.xlsx", size=2),
            attachments=Attachments(file=b"PK"),
        ),
        request=replied(
            "b2edcf2bf0f82d2f4eb6f2ec88fcc3a3",
            b"""\
--b2edcf2bf0f82d2f4eb6f2ec88fcc3a3
Content-Disposition: form-data; name="room_id"

9d1c1f5e-fb79-4c3e-b19e-546f761dfebf
--b2edcf2bf0f82d2f4eb6f2ec88fcc3a3
Content-Disposition: form-data; name="type"

document
--b2edcf2bf0f82d2f4eb6f2ec88fcc3a3
Content-Disposition: form-data; name="file"; filename="laporan.xlsx"
Content-Type: application/octet-stream

PK
--b2edcf2bf0f82d2f4eb6f2ec88fcc3a3--
""",
        ),
    ),
    Send(
        title="the option says what a file is",
        message=reply(
            content=Media(media_url="https://example.com/suara.ogg"), provider_options=options(media_type="voice")
        ),
        request=replied(
            "db4b4078461b53377852f2fda89b12b7",
            b"""\
--db4b4078461b53377852f2fda89b12b7
Content-Disposition: form-data; name="room_id"

9d1c1f5e-fb79-4c3e-b19e-546f761dfebf
--db4b4078461b53377852f2fda89b12b7
Content-Disposition: form-data; name="type"

voice
--db4b4078461b53377852f2fda89b12b7
Content-Disposition: form-data; name="file_url"

https://example.com/suara.ogg
--db4b4078461b53377852f2fda89b12b7--
""",
        ),
    ),
)

REF_NO = "XXXX05224010031105891853"
TAKEN = Taken(provider_message_id=REF_NO)


def said(status: int, document: object, headers: dict[str, str] | None = None) -> HttpResponse:
    return HttpResponse(status=status, headers=headers or {}, body=json.dumps(document).encode())


def succeeded(data: object, status: int = 201, text: str = "Send broadcast message") -> HttpResponse:
    return said(status, {"error": False, "message": text, "data": data})


def refused(text: str, status: int = 400) -> HttpResponse:
    return said(status, {"error": True, "message": text, "description": None})


def unprocessable(*place: str | int) -> HttpResponse:
    return said(422, {"detail": [{"loc": place, "msg": "value is not a valid uuid", "type": "type_error.uuid"}]})


def raw(text: str, status: int = 200) -> HttpResponse:
    return HttpResponse(status=status, body=text.encode())


def final(reason: Reason, code: str | None = None, detail: str | None = None) -> NotTaken:
    return NotTaken(reason=reason, is_final=True, provider_code=code, detail=detail)


def out_of_order(reason: Reason, code: str | None = None, detail: str | None = None) -> NotTaken:
    return NotTaken(reason=reason, is_final=False, scope=FailureScope.PROVIDER, provider_code=code, detail=detail)


def worded(text: str, reason: Reason, words: str) -> Answer:
    return Answer(title=text, response=refused(text), outcome=final(reason, "400", f"the refusal says: {words}"))


def field(name: str, reason: Reason, *further: str | int) -> Answer:
    return Answer(
        title=f"a value that is not valid: {name}",
        response=unprocessable("body", name, *further),
        outcome=final(reason, "422", f"{name}: refused by the vendor"),
    )


NOT_TAKEN: tuple[tuple[str, HttpResponse, Outcome], ...] = (
    (
        "no credit",
        refused("Insufficient WA credit"),
        out_of_order(Reason.INSUFFICIENT_CREDIT, "400", "the refusal says: credit"),
    ),
    (
        "no balance, under 200",
        refused("Balance expired", 200),
        out_of_order(Reason.INSUFFICIENT_CREDIT, None, "the refusal says: balance"),
    ),
    ("a refusal that nobody has described", refused("Nomor sedang sibuk"), final(Reason.PROVIDER_ERROR, "400")),
    ("a room that is not valid", unprocessable("body", "room_id"), final(Reason.INVALID_REQUEST, "422")),
    ("a bad request", raw("Bad Request", 400), final(Reason.INVALID_REQUEST, "400")),
    ("a wrong key", refused("Invalid APIKey", 401), out_of_order(Reason.AUTHENTICATION, "401")),
    ("an address that is not listed", raw("", 403), out_of_order(Reason.AUTHENTICATION, "403")),
    ("no such page", said(404, {"detail": "Not Found"}), final(Reason.PROVIDER_ERROR, "404")),
    ("too large", raw("<html></html>", 413), final(Reason.TOO_LONG, "413")),
    (
        "too many requests",
        said(429, {"detail": "Too Many Requests"}, {"retry-after": "2"}),
        NotTaken(reason=Reason.RATE_LIMITED, is_final=False, provider_code="429", retry_after_seconds=2.0),
    ),
)

ANSWERS = (
    Answer(title="a template, accepted", response=succeeded({"ref_no": REF_NO}), outcome=TAKEN),
    Answer(title="a reply, accepted", response=succeeded({"ref_no": REF_NO}, text="Send reply message"), outcome=TAKEN),
    Answer(title="accepted, under 200", response=succeeded({"ref_no": REF_NO}, 200), outcome=TAKEN),
    Answer(title="accepted, under 202", response=succeeded({"ref_no": REF_NO}, 202), outcome=TAKEN),
    *(Answer(title=title, response=response, outcome=outcome) for title, response, outcome in NOT_TAKEN),
    worded("Room not found or expired", Reason.WINDOW_CLOSED, "room"),
    worded("Parameters do not match the template", Reason.INVALID_CONTENT, "parameter"),
    worded("Missing parameter", Reason.INVALID_CONTENT, "parameter"),
    worded("Template is not approved", Reason.TEMPLATE_REJECTED, "template"),
    worded("Channel not found", Reason.INVALID_SENDER, "channel"),
    field("destination", Reason.INVALID_RECIPIENT),
    field("template_id", Reason.TEMPLATE_REJECTED),
    field("channel_id", Reason.INVALID_SENDER),
    field("parameters", Reason.INVALID_CONTENT, "body", 0, "key"),
    field("text", Reason.INVALID_CONTENT),
    field("file_url", Reason.INVALID_CONTENT),
    field("file", Reason.INVALID_CONTENT),
    Answer(title="success without a body", response=HttpResponse(status=204), outcome=Unknown(why="")),
    Answer(title="success without an id", response=succeeded({}), outcome=Unknown(why="")),
    Answer(
        title="an id that is a number", response=succeeded({"ref_no": 5224010031105891853}), outcome=Unknown(why="")
    ),
    Answer(title="success under a refusal", response=succeeded({"ref_no": REF_NO}, 400), outcome=Unknown(why="")),
    Answer(title="a page of HTML", response=raw("<html>login</html>"), outcome=Unknown(why="")),
    Answer(title="a redirect", response=succeeded({"ref_no": REF_NO}, 302), outcome=Unknown(why="")),
    Answer(title="a time-out at the vendor", response=refused("Channel not found", 408), outcome=Unknown(why="")),
    Answer(title="an outage", response=raw("Internal Server Error", 500), outcome=Unknown(why="")),
)


def unsupported(detail: str) -> Failure:
    return Failure(reason=Reason.UNSUPPORTED, detail=detail)


def wrong(detail: str) -> Failure:
    return Failure(reason=Reason.INVALID_REQUEST, detail=detail)


ONLY_TEMPLATES = unsupported("content.type: without a room_id only a template goes out")
FALLBACK = {"template_id": TEMPLATE, "parameters": ["0815-7"], "recipient_name": "Siti Aminah"}

REFUSALS = (
    Refusal(
        title="a text to a number", message=reply(room_id=None, recipient="+62822344641960"), failure=ONLY_TEMPLATES
    ),
    Refusal(
        title="a file to a number",
        message=message(content=Media(media_url="https://example.com/kamar.jpg")),
        failure=ONLY_TEMPLATES,
    ),
    Refusal(
        title="a template in a conversation",
        message=message(room_id=CONVERSATION),
        failure=unsupported("content.type: a template starts a conversation, it takes no room_id"),
    ),
    Refusal(
        title="a conversation that cannot be one",
        message=reply(room_id="room-1"),
        failure=wrong("room_id: must be a UUID"),
    ),
    Refusal(
        title="an audience",
        message=message(recipient=None, audience=("Example",)),
        failure=unsupported("audience: nusasms takes no lists on whatsapp_official"),
    ),
    Refusal(
        title="a template that cannot be one",
        message=message(content=Template(template_id="otp_code")),
        failure=Failure(reason=Reason.TEMPLATE_REJECTED, detail="content.template_id: must be a UUID"),
    ),
    Refusal(
        title="a sender that cannot be a channel",
        message=message(sender="6281243214321"),
        failure=Failure(reason=Reason.INVALID_SENDER, detail="sender: must be the UUID of a channel"),
    ),
    Refusal(
        title="an option of another channel",
        message=reply(provider_options=options(queue="YOUR_QUEUE")),
        failure=unsupported("provider_options.nusasms.queue: option not offered"),
    ),
    Refusal(
        title="a kind of file that is none",
        message=reply(provider_options=options(media_type="text")),
        failure=unsupported("provider_options.nusasms.media_type: must be one of audio, document, image, video, voice"),
    ),
    Refusal(
        title="a template for closed conversations that is none",
        message=reply(provider_options=options(template=[TEMPLATE])),
        failure=wrong("provider_options.nusasms.template: wrong type"),
    ),
    Refusal(
        title="a template for closed conversations that cannot be read",
        message=reply(provider_options=options(template={**FALLBACK, "language": "id"})),
        failure=wrong(
            "provider_options.nusasms.template: has other fields than parameters, recipient_name, template_id"
        ),
    ),
    Refusal(
        title="a template for closed conversations without an id",
        message=reply(provider_options=options(template={"parameters": ["0815-7"]})),
        failure=wrong("provider_options.nusasms.template: template_id: must be a text of 1 to 128 characters"),
    ),
    Refusal(
        title="a template for closed conversations that cannot be one",
        message=reply(provider_options=options(template={**FALLBACK, "template_id": "otp_code"})),
        failure=Failure(
            reason=Reason.TEMPLATE_REJECTED, detail="provider_options.nusasms.template.template_id: must be a UUID"
        ),
    ),
    Refusal(
        title="a file of more than 512 KB",
        message=reply(content=Media(media_key="order-4711/0f/3", file_name="a.png", size=524_289)),
        failure=Failure(reason=Reason.TOO_LONG, detail="content.media_base64: nusasms takes 524288 bytes"),
    ),
)

ROW: dict[str, Any] = {
    "id": TEMPLATE,
    "name": "otp_code",
    "header": None,
    "body": "Your OTP Code is {{1}}",
    "footer": None,
    "status": "APPROVED",
    "category": "AUTHENTICATION",
}
CHANNEL_ROW: dict[str, Any] = {
    "id": CHANNEL,
    "webhook": "https://example.com/webhook",
    "settings": None,
    "organization_id": "0b6f4c6e-8d5a-4f0e-9a63-0a3c6f7c2f11",
    "created_at": "2019-08-24T14:15:22Z",
}


def listed(*rows: object) -> HttpResponse:
    return succeeded(list(rows), 200, "Templates")


def template(
    title: str,
    *,
    is_approved: bool = True,
    header_format: str | None = None,
    body_parameters: int | None = 1,
    **changes: object,
) -> AccountAnswer:
    info = TemplateInfo(is_approved=is_approved, header_format=header_format, body_parameters=body_parameters)
    return AccountAnswer(
        title=f"templates: {title}",
        check="templates",
        response=listed({**ROW, **changes}),
        status=AccountStatus(templates={TEMPLATE: info}),
    )


def checked(check: str, title: str, response: HttpResponse, *, is_refused: bool = False) -> AccountAnswer:
    return AccountAnswer(title=f"{check}: {title}", check=check, response=response, is_refused=is_refused)


ACCOUNT_ANSWERS = (
    template("an approved one"),
    template("an approved one, in small letters", status="approved"),
    template("a status that nobody has described leaves it to the vendor", status="LIVE"),
    *(
        template(f"not approved: {word}", status=word, is_approved=False)
        for word in (
            "DRAFT",
            "PENDING",
            "IN_APPEAL",
            "REJECTED",
            "PAUSED",
            "LIMIT_EXCEEDED",
            "DISABLED",
            "ARCHIVED",
            "PENDING_DELETION",
            "DELETED",
            "pending",
        )
    ),
    *(
        template(f"a header that needs a parameter: {word}", header={"format": word}, header_format=word)
        for word in ("DOCUMENT", "IMAGE", "VIDEO")
    ),
    template("a header in a word", header="image", header_format="IMAGE"),
    template("a header of words", header={"format": "TEXT", "text": "Hello"}),
    template("a header that cannot be told", header=[{"type": "image"}]),
    template("two placeholders, one of them twice", body="{{1}}, {{ 2 }}, {{1}}", body_parameters=2),
    template("placeholders anywhere in a body", body={"text": ["Dear {{1}}", {"b": "{{2}}"}]}, body_parameters=2),
    template("placeholders with names", body="Dear {{name}}", body_parameters=1),
    template("no placeholders", body="Welcome!", body_parameters=0),
    template("a placeholder that may have lost its braces", body="Your OTP Code is 1", body_parameters=None),
    template("braces that are no placeholder", body="Your OTP Code is {one}", body_parameters=None),
    template("a body that cannot be told", body={"text": "Welcome!"}, body_parameters=None),
    template("a body that is null, as on the page", body=None, body_parameters=None),
    AccountAnswer(
        title="templates: none",
        check="templates",
        response=listed(),
        status=AccountStatus(templates={}),
    ),
    AccountAnswer(
        title="templates: one without an id hides no other",
        check="templates",
        response=listed({**ROW, "id": None}, "otp_code", {"name": "otp_code"}, ROW),
        status=AccountStatus(templates={TEMPLATE: TemplateInfo(is_approved=True, body_parameters=1)}),
    ),
    checked("templates", "more than can be kept", listed(*[ROW] * 2001)),
    AccountAnswer(
        title="channels: two",
        check="channels",
        response=succeeded([CHANNEL_ROW, {**CHANNEL_ROW, "id": ANOTHER_CHANNEL}, None], 200, "Channels"),
        status=AccountStatus(senders=frozenset({CHANNEL, ANOTHER_CHANNEL})),
    ),
    AccountAnswer(
        title="channels: none",
        check="channels",
        response=succeeded([], 200, "Channels"),
        status=AccountStatus(senders=frozenset()),
    ),
    *(
        answer
        for check in ("templates", "channels")
        for answer in (
            checked(check, "a wrong key", refused("Invalid APIKey", 401), is_refused=True),
            checked(check, "an address that is not listed", raw("", 403), is_refused=True),
            checked(check, "an outage", raw("Internal Server Error", 500)),
            checked(check, "an error under 200", refused("Client not found", 200)),
            checked(check, "no data", succeeded(None, 200)),
            checked(check, "an object for a list", succeeded({"id": TEMPLATE}, 200)),
            checked(check, "a page of HTML", raw("<html>login</html>")),
        )
    ),
)


def called_back(document: object, content_type: str = "application/json") -> WebhookRequest:
    return WebhookRequest(
        method="POST", headers={"content-type": content_type}, body=json.dumps(document, ensure_ascii=False).encode()
    )


RECEIPT = {"ref_no": REF_NO, "status": "read", "status_date": "2022-08-12 10:22:50"}
READ_AT = datetime(2022, 8, 12, 3, 22, 50, tzinfo=UTC)


def report(
    word: str, status: Status | None, reason: Reason | None = None, occurred_at: datetime | None = READ_AT
) -> tuple[Report, ...]:
    return (
        Report(provider_message_id=REF_NO, status=status, provider_status=word, reason=reason, occurred_at=occurred_at),
    )


def receipt(title: str, document: object, reports: tuple[Report, ...]) -> Webhook:
    return Webhook(title=title, kind="whatsapp-official-receipt", request=called_back(document), reports=reports)


RECEIPTS = (
    *(
        receipt(f"the word {word}", {**RECEIPT, "status": word}, report(word, status, reason))
        for word, status, reason in (
            ("submitted", Status.ACCEPTED, None),
            ("sent", Status.SENT, None),
            ("delivered", Status.DELIVERED, None),
            ("read", Status.READ, None),
            ("failed", Status.UNDELIVERED, Reason.PROVIDER_ERROR),
            ("READ", Status.READ, None),
            ("deleted", None, None),
        )
    ),
    receipt(
        "without a date",
        {"ref_no": REF_NO, "status": "read", "status_date": None},
        report("read", Status.READ, occurred_at=None),
    ),
    receipt(
        "a date that is none costs the date alone",
        {**RECEIPT, "status_date": 1660274570},
        report("read", Status.READ, occurred_at=None),
    ),
    receipt(
        "an id that is a number: case 8 of the field",
        {**RECEIPT, "ref_no": 80123},
        tuple(replace(known, provider_message_id="80123") for known in report("read", Status.READ)),
    ),
    receipt("with more than is documented", {**RECEIPT, "errors": [{"code": 131026}]}, report("read", Status.READ)),
)

BAD_RECEIPTS = tuple(
    BadWebhook(title=title, kind="whatsapp-official-receipt", request=request)
    for title, request in (
        ("no id", called_back({"status": "read"})),
        ("an id of two lines", called_back({**RECEIPT, "ref_no": "1\n2"})),
        ("an id that fits no key", called_back({**RECEIPT, "ref_no": "1" * 101})),
        ("no status", called_back({"ref_no": REF_NO})),
        ("a status that is null", called_back({**RECEIPT, "status": None})),
        ("a status that is an object", called_back({**RECEIPT, "status": {"read": True}})),
        ("a status that is a speech", called_back({**RECEIPT, "status": "r" * 65})),
        ("a list of receipts", called_back([RECEIPT, RECEIPT])),
        ("two statuses", WebhookRequest(method="POST", body=b'{"ref_no":"1","status":"sent","status":"read"}')),
        ("a query that differs", replace(called_back(RECEIPT), query="status=failed")),
    )
)

INBOX: dict[str, Any] = {
    "room_id": CONVERSATION,
    "ref_no": REF_NO,
    "text": "Pesan inbox",
    "inbox_date": "2022-08-12 10:50:13",
    "sender_number": "6281298765432",
}


def received(**changes: Any) -> tuple[Inbound, ...]:
    documented: dict[str, Any] = {
        "provider": "nusasms",
        "channel": Channel.WHATSAPP_OFFICIAL,
        "provider_message_id": REF_NO,
        "sender": "+6281298765432",
        "text": "Pesan inbox",
        "room_id": CONVERSATION,
        "received_at": datetime(2022, 8, 12, 3, 50, 13, tzinfo=UTC),
    }
    return (Inbound(**{**documented, **changes}),)


def inbox(title: str, document: dict[str, Any], reports: tuple[Inbound, ...]) -> Webhook:
    return Webhook(title=title, kind="whatsapp-official-inbox", request=called_back(document), reports=reports)


INBOXES = (
    inbox("an inbound message", INBOX, received()),
    inbox("an inbound message, with more than is documented", {**INBOX, "media": {"url": "a"}}, received()),
    inbox(
        "an inbound text stays as it is",
        {**INBOX, "text": " STOP\r\n\\U0001F600 😀 "},
        received(text=" STOP\r\n\\U0001F600 😀 "),
    ),
    inbox("a picture, which has no text", {**INBOX, "text": None}, received(text="")),
    inbox(
        "a sender and an id that are numbers",
        {**INBOX, "sender_number": 6281298765432, "ref_no": 7},
        received(provider_message_id="7"),
    ),
    inbox("an inbound text that is a number", {**INBOX, "text": 1234}, received(text="1234")),
    inbox("an inbound text with NUL", {**INBOX, "text": "Pesan\x00inbox"}, received(text="Pesan\ufffdinbox")),
    inbox(
        "a message without a room",
        {name: value for name, value in INBOX.items() if name != "room_id"},
        received(room_id=None),
    ),
    inbox("a room that fits no key", {**INBOX, "room_id": "9" * 101}, received(room_id=None)),
    inbox("an empty inbound text", {**INBOX, "text": ""}, received(text="")),
    inbox(
        "nothing but room and sender",
        {"room_id": CONVERSATION, "sender_number": "6281298765432"},
        received(provider_message_id=None, text="", received_at=None),
    ),
    inbox("an inbound id that is blank", {**INBOX, "ref_no": " "}, received(provider_message_id=None)),
    inbox("an inbound id that fits no key", {**INBOX, "ref_no": "1" * 101}, received(provider_message_id=None)),
    inbox("a sender with a plus", {**INBOX, "sender_number": "+6281298765432"}, received()),
    inbox("a sender as dialled at home", {**INBOX, "sender_number": "081298765432"}, received()),
    inbox("a sender from abroad", {**INBOX, "sender_number": "85512345678"}, received(sender="+85512345678")),
    inbox("a sender that is no number", {**INBOX, "sender_number": "628XXXXXXXX"}, received(sender="628XXXXXXXX")),
)

BAD_INBOXES = tuple(
    BadWebhook(title=title, kind="whatsapp-official-inbox", request=request)
    for title, request in (
        ("an inbound message without a sender", called_back({**INBOX, "sender_number": ""})),
        ("two rooms", WebhookRequest(method="POST", body=b'{"sender_number":"1","room_id":"1","room_id":"2"}')),
        ("a room that is an object", called_back({**INBOX, "room_id": {"id": CONVERSATION}})),
        ("half of an inbound message", WebhookRequest(method="POST", body=b'{"sender_number":"6281298765432","text":')),
    )
)

CASES = ProviderCases(
    account=ProviderConfig(base_url=BASE, credentials={"api_key": "not-a-real-key"}, sender=CHANNEL),
    endpoints=(
        ("POST", "/nusasms_api/1.0/wa_official/message/broadcast"),
        ("POST", "/nusasms_api/1.0/wa_official/message/reply"),
        ("GET", "/nusasms_api/1.0/wa_official/templates"),
        ("GET", "/nusasms_api/1.0/wa_official/channels"),
    ),
    documented=("read",),
    sends=SENDS,
    answers=ANSWERS,
    refusals=REFUSALS,
    account_checks=tuple(
        (check, HttpRequest(method="GET", url=f"{ROOT}/{check}", headers=HEADERS, response_limit=1024 * 1024))
        for check in ("templates", "channels")
    ),
    account_answers=ACCOUNT_ANSWERS,
    webhooks=RECEIPTS + INBOXES,
    bad_webhooks=BAD_RECEIPTS + BAD_INBOXES,
    secrets=(
        "0815-7",
        "Siti Aminah",
        "invoice-0815",
        "url_endpoint",
        "kamar",
        "to-file.png",
        "laporan",
        "Nomor",
        "Pesan inbox",
        "81298765432",
        "85512345678",
    ),
)
