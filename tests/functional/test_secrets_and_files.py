"""Encryption keys and files, which are stored apart from their message."""

import hashlib
import json
from base64 import b64decode
from email import message_from_bytes, policy
from typing import Any

import pytest

from tests.functional.sandbox import Deployment, read_event

FILE = b"%PDF-1.4\n% Undangan rapat warga, Minggu pukul sembilan\n%%EOF\n"
OWN_KEY = "a key that the caller has chosen"
SMSPOH_SEND = "POST /smspoh/api/rest/send"
WHATSAPP_MEDIA = "POST /nusasms/nusasms_api/1.0/whatsapp/media"


def _rewritten(name: str, *changes: tuple[str, str]) -> Any:
    """Return a sample event of the send function with changed bodies."""
    event = read_event(name)
    for record in event["Records"]:
        for before, after in changes:
            assert before in record["body"]
            record["body"] = record["body"].replace(before, after)
        record["md5OfBody"] = hashlib.md5(record["body"].encode(), usedforsecurity=False).hexdigest()
    return event


def _documents(deployment: Deployment, field: str) -> list[str]:
    """Return a field of each JSON document that the vendors got."""
    return [json.loads(request.body)[field] for request in deployment.vendors.requests]


def _resume(message_id: str) -> Any:
    return _rewritten("send/resume", ("sample-throttled", message_id))


def test_vendor_encrypts_with_the_stored_key_which_is_shown_nowhere(
    deployment: Deployment, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    deployment.invoke("send/encrypted")
    images = [{"dynamodb": {"NewImage": item}} for item in deployment.items(deployment.messages)]
    deployment.call("publish", {"Records": images})

    (key,) = _documents(deployment, "encryptKey")
    assert deployment.encryption_keys() == {"sample-encrypted": key}
    assert len(key) == 32
    told, printed = deployment.deliveries(), capsys.readouterr()
    assert [event["detail"]["status"] for event in told] == ["accepted"]
    shown = [
        *(
            json.dumps(deployment.items(table))
            for table in (deployment.messages, deployment.inbox, deployment.directory)
        ),
        json.dumps(told),
        printed.out,
        printed.err,
        caplog.text,
    ]
    assert [text for text in shown if key in text] == []
    assert "message attempted" in printed.out
    print(printed.out, printed.err)  # for the check of the output


def test_key_of_the_caller_is_stored_apart_from_its_message(deployment: Deployment) -> None:
    deployment.call("send", _rewritten("send/encrypted-own-key", ("+959777777010", "+959777777020")))
    assert deployment.table() == {"sample-encrypted-own-key": "queued rate_limited the vendor throttles"}
    assert OWN_KEY not in json.dumps(deployment.items(deployment.messages))

    deployment.call("send", _resume("sample-encrypted-own-key"))

    assert deployment.table() == {"sample-encrypted-own-key": "accepted"}
    assert _documents(deployment, "encryptKey") == [OWN_KEY, OWN_KEY]
    assert deployment.encryption_keys() == {"sample-encrypted-own-key": OWN_KEY}
    assert OWN_KEY not in json.dumps(deployment.items(deployment.messages))


def test_each_message_has_its_own_key(deployment: Deployment) -> None:
    deployment.invoke("send/encrypted")
    deployment.call("send", _rewritten("send/encrypted", ("sample-encrypted", "sample-encrypted-too")))

    keys = deployment.encryption_keys()
    assert keys.keys() == {"sample-encrypted", "sample-encrypted-too"}
    assert len(set(keys.values())) == 2


def test_retried_message_keeps_its_key(deployment: Deployment) -> None:
    deployment.call("send", _rewritten("send/encrypted", ("+959777777010", "+959777777020")))
    assert deployment.table() == {"sample-encrypted": "queued rate_limited the vendor throttles"}
    key = deployment.encryption_keys()["sample-encrypted"]

    deployment.call("send", _resume("sample-encrypted"))

    assert deployment.table() == {"sample-encrypted": "accepted"}
    assert deployment.vendors.calls == [SMSPOH_SEND, SMSPOH_SEND]
    assert _documents(deployment, "encryptKey") == [key, key]
    assert deployment.encryption_keys() == {"sample-encrypted": key}


def test_file_is_stored_until_its_message_is_sent(deployment: Deployment) -> None:
    deployment.call("send", _rewritten("send/whatsapp-media-file", ("+6281234567810", "+6281234567820")))
    assert deployment.table() == {"sample-whatsapp-media-file": "queued rate_limited the vendor throttles"}
    assert deployment.kept() == ("file of sample-whatsapp-media-file",)

    deployment.call("send", _resume("sample-whatsapp-media-file"))

    assert deployment.table() == {"sample-whatsapp-media-file": "accepted"}
    assert deployment.kept() == ()
    assert deployment.vendors.calls == [WHATSAPP_MEDIA, WHATSAPP_MEDIA]
    assert [b64decode(file) for file in _documents(deployment, "media_base64")] == [FILE, FILE]


def test_file_is_sent_unchanged_into_a_conversation(deployment: Deployment) -> None:
    deployment.invoke("webhook/nusasms-whatsapp-official-inbox")

    deployment.invoke("send/whatsapp-official-file")

    (request,) = deployment.vendors.requests
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    form = message_from_bytes(head + request.body, policy=policy.HTTP)
    parts = {str(part.get_param("name", header="content-disposition")): part for part in form.iter_parts()}
    assert {name: part.get_payload(decode=True) for name, part in parts.items()} == {
        "room_id": b"a4c1e7b2-5d0f-4c3a-9b8e-1f2d3c4b5a69",
        "type": b"document",
        "file": FILE,
    }
    assert (parts["file"].get_filename(), parts["file"].get_content_type()) == ("undangan-rapat.pdf", "application/pdf")


def test_item_of_a_message_does_not_contain_its_file(deployment: Deployment) -> None:
    deployment.call("send", _rewritten("send/whatsapp-media-file", ("+6281234567810", "+6281234567820")))

    (item,) = deployment.items(deployment.messages)

    content = item["content"]["M"]
    key = content.pop("media_key")["S"]
    assert content == {
        "type": {"S": "media"},
        "file_name": {"S": "undangan-rapat.pdf"},
        "size": {"N": str(len(FILE))},
        "caption": {"S": "Undangan rapat warga"},
    }
    assert key == f"sample-whatsapp-media-file/{hashlib.sha256(FILE).hexdigest()[:32]}/1"


def test_refused_message_leaves_no_file(deployment: Deployment) -> None:
    deployment.invoke("send/media-twice")
    deployment.call("send", _rewritten("send/whatsapp-media-file", ('"channel": "whatsapp"', '"channel": "sms"')))

    assert deployment.table() == {
        "sample-media-twice": "failed invalid_request content",
        "sample-whatsapp-media-file": "failed unsupported content.type",
    }
    assert deployment.kept() == ()
