"""WhatsApp and WhatsApp Official of NusaSMS: behaviour of the provider without a request."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sampai.domain.failure import Failure, Reason
from sampai.domain.http import MalformedWebhookError, WebhookRequest
from sampai.domain.message import Attachments, Channel, Content, Media, Message, Text
from sampai.domain.phone import E164
from sampai.domain.status import Status
from sampai.domain.template import BodyParameter, Parameters, Template
from sampai.providers.base import Provider, ProviderConfig
from sampai.providers.features import SupportsWebhooks
from sampai.providers.nusasms.common import parse_number
from sampai.providers.nusasms.official import NusaSmsWhatsAppOfficial
from sampai.providers.nusasms.sms import NusaSms
from sampai.providers.nusasms.whatsapp import NusaSmsWhatsApp

ACCOUNT = ProviderConfig(base_url="https://nusasms.example", credentials={"api_key": "not-a-real-key"})
CHANNEL = "15974c27-3116-49f4-8627-5fc30b0c66d8"
TEMPLATE = "65a08d56-a2b9-45f5-98d3-98671e639055"
CONVERSATION = "9d1c1f5e-fb79-4c3e-b19e-546f761dfebf"
T0 = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)

WHATSAPP = NusaSmsWhatsApp(ACCOUNT)
OFFICIAL = NusaSmsWhatsAppOfficial(ACCOUNT)


def message(content: Content, **options: object) -> Message:
    return Message(
        message_id="order-4711",
        status=Status.SENDING,
        channel=Channel.WHATSAPP_OFFICIAL,
        recipient="+6281212341234",
        content=content,
        provider_options={"nusasms": options},
        created_at=T0,
        updated_at=T0,
        occurred_at=T0,
    )


def reply(content: Content, **options: object) -> Message:
    return replace(message(content, **options), room_id=CONVERSATION)


# --- emoji ------------------------------------------------------------------------------------------------------------


@given(st.text(st.characters(codec="utf-8", exclude_characters="\\"), min_size=1))
@example("\uffff\U00010000\U0010ffff")
def test_text_keeps_its_meaning_if_its_emoji_are_escaped(text: str) -> None:
    body = WHATSAPP.build_send(message(Text(text=text))).body.decode()
    sent = json.loads(body)["message"]

    assert re.sub(r"\\U([0-9A-F]{8})", lambda match: chr(int(match[1], 16)), sent) == text
    assert max(map(ord, body)) <= 0xFFFF


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", [WHATSAPP, OFFICIAL], ids=["whatsapp", "whatsapp_official"])
def test_missing_file_raises_before_a_request_is_built(provider: Provider) -> None:
    media = Media(media_key="order-4711/0f/1", file_name="a.png", size=3)

    with pytest.raises(ValueError, match="no file"):
        provider.build_send(reply(media))


@pytest.mark.parametrize(
    ("name", "kind", "media_type"),
    [
        ("a.aac", "audio", "audio/aac"),
        ("a.amr", "audio", "audio/amr"),
        ("a.m4a", "audio", "audio/mp4"),
        ("a.mp3", "audio", "audio/mpeg"),
        ("a.ogg", "audio", "audio/ogg"),
        ("a.jpeg", "image", "image/jpeg"),
        ("a.jpg", "image", "image/jpeg"),
        ("a.png", "image", "image/png"),
        ("a.3gp", "video", "video/3gpp"),
        ("a.mp4", "video", "video/mp4"),
        ("a.pdf", "document", "application/pdf"),
        ("a.svg", "document", "application/octet-stream"),
        ("A.PNG", "image", "image/png"),
        ("a.png.zip", "document", "application/octet-stream"),
        ("png", "document", "application/octet-stream"),
        ("a", "document", "application/octet-stream"),
        (".", "document", "application/octet-stream"),
    ],
)
def test_media_type_follows_from_the_file_name(name: str, kind: str, media_type: str) -> None:
    media = Media(media_key="order-4711/0f/1", file_name=name, size=1)
    ours = OFFICIAL.build_send(replace(reply(media), attachments=Attachments(file=b"x"))).body.decode()
    fetched = OFFICIAL.build_send(reply(Media(media_url=f"https://files.example/{name}?a=b.mp4"))).body.decode()

    assert f'name="type"\r\n\r\n{kind}\r\n' in ours
    assert f'filename="{name}"\r\nContent-Type: {media_type}\r\n' in ours
    assert f'name="type"\r\n\r\n{kind}\r\n' in fetched


# --- conversations ----------------------------------------------------------------------------------------------------

FALLBACK = {"template_id": TEMPLATE, "parameters": ["Siti", "4711"], "recipient_name": "Siti Aminah"}
READ = Template(
    template_id=TEMPLATE,
    recipient_name="Siti Aminah",
    parameters=Parameters(
        body=(
            BodyParameter(key="1", value="parameter_1", value_text="Siti"),
            BodyParameter(key="2", value="parameter_2", value_text="4711"),
        )
    ),
)


def test_template_of_the_options_is_sent_if_the_conversation_is_closed() -> None:
    provider = NusaSmsWhatsAppOfficial(replace(ACCOUNT, sender=CHANNEL))
    given_reply = reply(Text(text="Halo"), template=FALLBACK, media_type="image")
    fallback = provider.window_fallback(given_reply)
    assert fallback == READ

    instead = replace(given_reply, room_id=None, content=fallback)

    assert (provider.validate(given_reply), provider.validate(instead)) == (None, None)
    assert json.loads(provider.build_send(instead).body) == {
        "destination": "6281212341234",
        "destination_name": "Siti Aminah",
        "template_id": TEMPLATE,
        "channel_id": CHANNEL,
        "parameters": {
            "body": [
                {"key": "1", "value": "parameter_1", "value_text": "Siti"},
                {"key": "2", "value": "parameter_2", "value_text": "4711"},
            ]
        },
    }


def test_nothing_is_sent_if_the_conversation_is_closed_and_there_is_no_template() -> None:
    assert OFFICIAL.window_fallback(reply(Text(text="Halo"))) is None


def test_a_template_needs_a_sender_and_a_reply_needs_none() -> None:
    no_sender = Failure(reason=Reason.INVALID_SENDER, detail="sender: none given and none in the settings")

    assert OFFICIAL.validate(message(Template(template_id=TEMPLATE))) == no_sender
    assert OFFICIAL.validate(reply(Text(text="Halo"))) is None
    assert WHATSAPP.validate(replace(message(Text(text="Halo")), channel=Channel.WHATSAPP)) is None


def test_ids_are_not_case_sensitive() -> None:
    provider = NusaSmsWhatsAppOfficial(replace(ACCOUNT, sender=CHANNEL.upper()))

    assert provider.validate(message(Template(template_id=TEMPLATE.upper()))) is None
    assert provider.validate(replace(reply(Text(text="Halo")), room_id=CONVERSATION.upper())) is None


# --- inbound ----------------------------------------------------------------------------------------------------------


@given(st.from_regex(r"(\+|0|08|62)?[0-9]{0,18}", fullmatch=True) | st.text(max_size=20), st.sampled_from(Channel))
def test_number_is_read_as_the_same_number_or_left_unchanged(number: str, channel: Channel) -> None:
    read = parse_number(number, channel)

    assert read == number or (
        E164.fullmatch(read) and read.removeprefix("+") in (number.removeprefix("+"), f"62{number[1:]}")
    )


@pytest.mark.parametrize(
    ("api", "kind"),
    [
        (api, kind)
        for api in (NusaSms, NusaSmsWhatsApp, NusaSmsWhatsAppOfficial)
        for kind in sorted(api.capabilities.webhooks)
    ],
)
@given(st.binary(max_size=100) | st.text('{}":,[]\\u0 roomidsendernumbertext=&', max_size=100).map(str.encode))
def test_arbitrary_bytes_of_a_callback_do_not_raise(api: type[SupportsWebhooks], kind: str, body: bytes) -> None:
    with pytest.raises(MalformedWebhookError):
        api.parse_webhook(kind, WebhookRequest(method="POST", body=body))
