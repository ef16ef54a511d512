"""The story of a message that a vendor refused: the vendor's words in a table of their own, and nothing of ours."""

import json
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pytest

from local.simulators.nusasms.official import CHANNEL_ID, PENDING
from local.simulators.registry import load_vendors
from local.simulators.server import Simulators
from local.simulators.settings import Settings
from tests.covers import covers
from tests.emulator import Emulator
from tests.functional.sandbox import TOKEN, Deployment, forget, read_event, stack
from tests.harness.cli import sampai

CREDENTIALS: Final = {name: dict(vendor.credentials) for name, vendor in load_vendors().items()}
SECRETS: Final = sorted(
    {
        *(value for credentials in CREDENTIALS.values() for value in credentials.values()),
        b64encode(":".join(CREDENTIALS["smspoh"].values()).encode()).decode(),
    }
)
"""The credentials of the simulators, as they are and as a header has them."""

TEXT: Final = "Zulfikar, dokumen rahasia 884213"
KEY: Final = "a key that Zulfikar has chosen"
FILE: Final = b"%PDF-1.4 dokumen rahasia 884213"
PARTS_OF_TEXT: Final = ("Zulfikar", "dokumen", "rahasia", "884213")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A message that its vendor refuses, and the vendor's words that its story shows."""

    provider: str
    recipient: str
    sender: str | None
    http_status: int
    words: str
    outcome: str = "not_taken"
    channel: str = "sms"
    content: Mapping[str, Any] = field(default_factory=lambda: {"type": "text", "text": TEXT})
    options: Mapping[str, Any] = field(default_factory=dict)


EMAIL: Final = {"type": "email", "subject": "Zulfikar 884213", "body": f"<p>{TEXT}</p>"}
MEDIA: Final = {
    "type": "media",
    "media_base64": b64encode(FILE).decode(),
    "file_name": "dokumen.pdf",
    "caption": TEXT,
}
TEMPLATE: Final = {
    "type": "template",
    "template_id": PENDING.template_id,
    "parameters": {"body": [{"key": "1", "value": "note", "value_text": TEXT}]},
    "recipient_name": "Zulfikar",
}
SMSPOH: Final = Refused(
    provider="smspoh",
    recipient="+959777777021",
    sender="Sampai",
    http_status=201,
    words="Invalid Phone Number Request was",
)
WHATSAPP: Final = Refused(
    provider="nusasms",
    recipient="+6281234567821",
    sender="6281100000090",
    http_status=422,
    words="Invalid destination format Request was",
    channel="whatsapp",
)

REFUSED: Final = {
    "nomsa": Refused(
        provider="nomsa",
        recipient="+85591234521",
        sender="mcs-otp",
        http_status=400,
        words="Phone number +[…] is invalid Request was",
    ),
    "email": Refused(
        provider="nomsa",
        recipient="sok21@example.com",
        sender="Sampai <no-reply@example.com>",
        http_status=400,
        words="Recipient email is blacklisted Request was",
        channel="email",
        content=EMAIL,
    ),
    "smsnoc": Refused(
        provider="smsnoc",
        recipient="+8801744977921",
        sender="SampaiBD",
        http_status=403,
        words="[…] is a invalid phone number Request was",
        # The software's own texts end there. Words that go on may come from its gateway, after the call.
        outcome="unknown",
    ),
    "smspoh": SMSPOH,
    "encrypted": replace(SMSPOH, options={"smspoh": {"encrypt": True, "encryptKey": KEY}}),
    "nusasms": Refused(provider="nusasms", recipient="+6281234567821", sender=None, http_status=200, words='"-13"'),
    "whatsapp": WHATSAPP,
    "media": replace(WHATSAPP, content=MEDIA),
    "whatsapp-official": Refused(
        provider="nusasms",
        recipient="+6281234567810",
        sender=CHANNEL_ID,
        http_status=400,
        words="Template is not approved",
        channel="whatsapp_official",
        content=TEMPLATE,
    ),
}


@pytest.fixture
def echoing(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, discreet: set[str]) -> Iterator[Deployment]:
    """The functions, with the vendor simulators in their worst mood."""
    discreet.update([*SECRETS, *PARTS_OF_TEXT, *(refused.recipient.lstrip("+") for refused in REFUSED.values())])
    with Simulators(settings=Settings(rude=True, echoes=True)) as simulators:
        vendors = simulators.vendors.items()
        yield Deployment(
            emulator=emulator,
            base_urls={name: f"{simulators.url}/{name}{vendor.api_path}" for name, vendor in vendors},
            monkeypatch=monkeypatch,
            secret={"webhook_tokens": [TOKEN], **CREDENTIALS},
            settings={"providers": {"philsms": {"type": "smsnoc"}}},
        )
    forget()


@covers("I11")
@pytest.mark.parametrize("name", REFUSED)
def test_story_has_the_words_of_the_vendor_and_no_value_of_ours(name: str, echoing: Deployment) -> None:
    refused = REFUSED[name]
    (record,) = read_event("send/nomsa")["Records"]
    request = {
        "message_id": "m-1",
        "channel": refused.channel,
        "recipient": refused.recipient,
        "content": refused.content,
        "provider_options": refused.options,
        **({"sender": refused.sender} if refused.sender else {}),
    }

    answer = echoing.call("send", {"Records": [record | {"body": json.dumps(request)}]})

    assert answer == {"batchItemFailures": []}
    shown = sampai(stack(echoing), "story", "m-1").stdout
    as_json = sampai(stack(echoing), "story", "m-1", "--json").stdout
    (attempt,) = json.loads(as_json)["attempts"]
    assert (attempt["provider"], attempt["outcome"], attempt["http_status"]) == (
        refused.provider,
        refused.outcome,
        refused.http_status,
    )
    assert refused.words in attempt["vendor_words"]
    assert refused.words in last_column(shown)
    stored = json.dumps(echoing.items(echoing.attempts), ensure_ascii=False)
    for output in (stored, shown, last_column(shown), as_json):
        assert traces_of(refused, output) == []
    assert refused.sender is None or refused.sender not in stored


def last_column(shown: str) -> str:
    """Return the last column of the tables in an output as one line: the words of the vendor are on several."""
    return " ".join(line.split("│")[-2].strip() for line in shown.splitlines() if "│" in line)


def traces_of(refused: Refused, output: str) -> list[str]:
    """Return the parts of a message and of the credentials that occur in an output, in any notation."""
    number = refused.recipient[-9:]
    texts = [*PARTS_OF_TEXT, refused.recipient.partition("@")[0]]
    without_separators = re.sub(r"[\s().+-]", "", output)
    return [value for value in (*texts, *SECRETS) if value in output] + [number] * (number in without_separators)


def test_story_tells_why_the_vendor_did_not_answer_a_look_up(echoing: Deployment) -> None:
    """The vendor takes the message. Then an operator puts a wrong API key into the secret."""
    echoing.invoke("send/nomsa")
    broken = {"webhook_tokens": [TOKEN], **CREDENTIALS, "nomsa": {"api_key": "a-wrong-key"}}
    secret = echoing.value("PROVIDER_SECRET_ARN")
    echoing.client("secretsmanager").put_secret_value(SecretId=secret, SecretString=json.dumps(broken))
    for polls in (1, 2):
        echoing.make_due("sample-nomsa")
        echoing.call("follow_up", {})

        story = json.loads(sampai(stack(echoing), "story", "sample-nomsa", "--json").stdout)

        assert (story["status"], story["lookup_error"], story["lookup_errors"]) == (
            "accepted",
            "HTTP 401: UnreadableAnswerError",
            polls,
        )


def test_batch_of_accepted_messages_writes_no_story(deployment: Deployment) -> None:
    deployment.invoke("send/batch-of-ten")

    assert deployment.items(deployment.attempts) == []
