"""The defects: mistakes that senders of messages have made, each as a change to the present source.

An edit's old text occurs exactly once in its file; `test_patches.py` holds the list to that.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

LAYER: Final = Path("layers/sampai/sampai")
TESTS: Final = Path("tests")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    file: Path
    """Below the root of the tree."""
    old: str
    new: str

    def apply(self, source: str) -> str:
        """Return the edited source. Raises ValueError unless the old text is there exactly once."""
        if (found := source.count(self.old)) != 1:
            raise ValueError(f"{self.file}: the old text is there {found} times: {self.old.strip()[:60]!r}")
        return source.replace(self.old, self.new)


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    title: str
    edits: tuple[Edit, ...]
    likely: tuple[Path, ...]
    """Test files that should notice, the quickest first."""


def _edit(file: str, old: str, new: str) -> Edit:
    return Edit(file=LAYER / file, old=old, new=new)


def _defect(title: str, likely: str, *edits: Edit) -> Defect:
    """`likely` names test files in short: `unit/send` is tests/unit/test_send.py."""
    places = [name.rpartition("/") for name in likely.split()]
    files = tuple(TESTS / folder / f"test_{name}.py" for folder, _, name in places)
    return Defect(title=title, edits=edits, likely=files)


DEFECTS: Final = (
    # --- at most once ---------------------------------------------------------------------------------------------
    _defect(
        "the vendor is called before the claim is stored",
        "unit/send",
        _edit(
            "services/send/service.py",
            """\
        stages.claims.store(batch)
        stages.pacer.renew(batch)
        stages.dispatcher.dispatch(batch)
""",
            """\
        stages.pacer.renew(batch)
        stages.dispatcher.dispatch(batch)
        stages.claims.store(batch)
""",
        ),
    ),
    _defect(
        "a claim that was refused is sent all the same",
        "unit/send",
        _edit(
            "services/send/claims.py",
            "            if written.done:\n",
            "            if written.done or isinstance(written.current, Message):\n",
        ),
    ),
    _defect(
        "the condition of a write is forgotten",
        "ports/store",
        _edit(
            "adapters/store.py",
            """\
        + ' WHERE "message_id" = ? AND "revision" = ?',
        "Parameters": [*changed.values(), before["message_id"], before["revision"]],
""",
            """\
        + ' WHERE "message_id" = ?',
        "Parameters": [*changed.values(), before["message_id"]],
""",
        ),
    ),
    _defect(
        "our own write, seen again, is taken for somebody else's",
        "ports/store",
        _edit(
            "adapters/store.py",
            "return _answered(isinstance(current, Message) and to_item(current) == to_item(write.message), current)",
            "return _answered(False, current)",
        ),
    ),
    _defect(
        "the id is that of the SQS message",
        "unit/send",
        _edit(
            "services/send/admitter.py",
            "return request.message_id, request.fingerprint(key)",
            "return record.record_id, request.fingerprint(key)",
        ),
        _edit(
            "services/send/admitter.py",
            "            draft = build_draft(request, ",
            '            draft = build_draft(request.model_copy(update={"message_id": message_id}), ',
        ),
    ),
    _defect(
        "another request under a known id is taken for a repetition",
        "unit/send",
        _edit(
            "services/send/claims.py",
            "if current.fingerprint not in (None, item.message.fingerprint):",
            "if current.fingerprint is None and item.message.fingerprint is None:",
        ),
    ),
    _defect(
        "a time-out counts as not taken",
        "unit/send",
        _edit(
            "services/send/provider_calls.py",
            "    if response.may_have_been_sent:\n",
            '    if response.may_have_been_sent and response.why != "timed out":\n',
        ),
    ),
    _defect(
        "a connection that breaks after the request counts as never opened",
        "unit/transport unit/transport_hostile",
        _edit("adapters/transport.py", "            call.is_sent = True\n", ""),
    ),
    _defect(
        "an answer that cannot be read counts as not taken",
        "unit/send unit/shared_calls",
        _edit(
            "services/send/provider_calls.py",
            'return Unknown(why=f"unreadable answer, HTTP {response.status}")',
            "return NotTaken(reason=Reason.PROVIDER_ERROR, is_final=False)",
        ),
    ),
    _defect(
        "a 5xx counts as not taken",
        "unit/provider_base",
        _edit(
            "providers/base.py",
            'return Unknown(why=f"HTTP {status}")',
            "return NotTaken(reason=Reason.PROVIDER_ERROR, is_final=False, provider_code=str(status))",
        ),
    ),
    _defect(
        "a lease that is over is claimed again, by who comes next",
        "unit/send",
        _edit(
            "services/send/claims.py",
            "lost = mark_unknown(current, now=now, due_at=now, source=Source.SEND)",
            "lost = queue(current, now=now, due_at=now)",
        ),
        _edit("services/send/claims.py", "import Message, mark_unknown\n", "import Message, queue\n"),
    ),
    _defect(
        "a lease that is over is claimed again, by the follow-up",
        "unit/services/follow_up/leases",
        _edit(
            "services/follow_up/leases.py",
            "import Message, mark_unknown\n",
            "import Message, requeue\n",
        ),
        _edit(
            "services/follow_up/leases.py",
            "return mark_unknown(message, now=now, due_at=now, source=Source.SWEEP)",
            "return requeue(message, route=message.route, failure=None, now=now, due_at=now, source=Source.SWEEP)",
        ),
    ),
    _defect(
        "what is unknown is sent again without the caller's wish",
        "unit/services/follow_up/next_state",
        _edit("services/follow_up/next_state.py", "        and message.on_unknown is OnUnknown.RESEND\n", ""),
    ),
    _defect(
        "one look that does not find a message is enough to send it again",
        "unit/services/follow_up/next_state",
        _edit("services/follow_up/next_state.py", "        and message.not_found_count + 1 >= MIN_NOT_FOUND\n", ""),
    ),
    _defect(
        "an old note resumes a later attempt",
        "unit/send",
        _edit("services/send/admission.py", " and message.attempt in attempts\n", "\n"),
    ),
    _defect(
        "messages of a shared call that was turned away go together again",
        "unit/provider_base unit/shared_calls",
        _edit(
            "providers/base.py",
            "if message.category is not Category.PROMOTIONAL or message.attempt > 1:",
            "if message.category is not Category.PROMOTIONAL:",
        ),
    ),
    # --- outcomes, evidence ---------------------------------------------------------------------------------------
    _defect(
        "a superseded attempt writes its result",
        "unit/send",
        _edit(
            "services/attempt.py",
            "    if current.attempt_id != attempt_id:\n        return False\n",
            "    if current.attempt_id != attempt_id:\n        return True\n",
        ),
    ),
    _defect(
        "a receipt that comes before its message is dropped",
        "unit/services/webhook/receipts unit/services/follow_up/reconciliation",
        _edit(
            "services/webhook/receipts.py",
            "return self._correlations.buffer_report(key, report, self._clock())",
            "return None",
        ),
    ),
    _defect(
        "a receipt is answered 200 before it is durable",
        "unit/services/webhook/service",
        _edit(
            "services/webhook/service.py",
            "            return Answer.UNAVAILABLE\n",
            "            return Answer.RECEIVED\n",
        ),
    ),
    _defect(
        "the last report wins",
        "unit/status",
        _edit(
            "domain/status.py",
            "if reported is None or reported.rank <= current.rank:",
            "if reported is None:",
        ),
    ),
    _defect(
        "429 counts as taken",
        "unit/send",
        _edit(
            "services/send/provider_calls.py",
            "        try:\n            outcome = provider.parse_send(response)\n",
            """\
        if response.status == 429:
            from sampai.domain.outcome import Taken

            return Taken(provider_message_id=message.message_id)
        try:
            outcome = provider.parse_send(response)
""",
        ),
    ),
    _defect(
        "429 ends the message",
        "unit/provider_base conformance/provider_contract",
        _edit(
            "providers/base.py",
            "                reason=Reason.RATE_LIMITED,\n                is_final=False,\n",
            "                reason=Reason.RATE_LIMITED,\n                is_final=True,\n",
        ),
    ),
    _defect(
        "refused credentials end the message",
        "unit/provider_base conformance/provider_contract",
        _edit(
            "providers/base.py",
            'is_final=False, about=About.PROVIDER, provider_code="401"',
            'is_final=True, about=About.MESSAGE, provider_code="401"',
        ),
    ),
    _defect(
        "a success without an id counts as taken",
        "conformance/provider_contract",
        _edit(
            "providers/nomsa/sms.py",
            '    provider_message_id = readable_id(row.get("id"))\n',
            '    provider_message_id = readable_id(row.get("id")) or "unnamed"\n',
        ),
    ),
    _defect(
        "the outcomes of a bulk are told apart by their order alone",
        "unit/smspoh_bulk",
        _edit(
            "providers/smspoh.py",
            "return [place_of(place, number, reference) for place, (number, reference) in enumerate(names)]",
            "return [place if place < len(entries) else None for place in range(len(names))]",
        ),
    ),
    _defect(
        "the rows of a comma list are told apart by their order alone",
        "unit/smsnoc_many",
        _edit(
            "providers/smsnoc.py",
            'is_in_place = len(rows) == len(numbers) and _digits(rows[place].get("to")) == number',
            "is_in_place = place < len(rows)",
        ),
    ),
    _defect(
        "an entry of a vendor's list goes to one of two messages that it may belong to",
        "unit/services/follow_up/reconciliation",
        _edit(
            "services/follow_up/reconciliation.py",
            "is_certain = len(free) == 1 and not any(_shares(results, m, free) for m in unknown if m is not message)",
            "is_certain = bool(free)",
        ),
    ),
    # --- none forgotten, none late --------------------------------------------------------------------------------
    _defect(
        "a message that waits for a further attempt has no due_at",
        "unit/send unit/services/follow_up/service",
        _edit(
            "domain/message.py",
            "        attempt=message.attempt + 1,\n        due_at=due_at,\n",
            "        attempt=message.attempt + 1,\n        due_at=None,\n",
        ),
    ),
    _defect(
        "a record whose claim was not answered does not come back",
        "unit/send",
        _edit(
            "services/send/claims.py",
            "            else:\n                batch.redeliver(item)\n",
            "            else:\n                batch.items.remove(item)\n",
        ),
    ),
    _defect(
        "expires_at is not looked at before the call",
        "unit/send",
        _edit(
            "services/send/dispatch.py",
            "messages = [item.message for item in call.items if not item.message.is_expired(now)]",
            "messages = [item.message for item in call.items if item.message.expires_at is not now]",
        ),
        _edit(
            "services/send/provider_calls.py",
            "if complete.is_expired(self._clock()):",
            "if complete.expires_at is self._clock():",
        ),
    ),
    _defect(
        "a call begins that the invocation has no time for",
        "unit/send",
        _edit(
            "services/send/dispatch.py",
            "if not deadline.has_time_for_call():",
            "if deadline.remaining() < 0:",
        ),
    ),
    _defect(
        "a comma and a second number pass for a recipient",
        "unit/request_kinds unit/send",
        _edit("contract/request.py", "if pattern.fullmatch(text) is None:", "if pattern.match(text) is None:"),
    ),
    _defect(
        "an opt-out keeps one-time passwords back",
        "unit/application/opt_out unit/services/send/eligibility",
        _edit(
            "services/send/eligibility.py",
            "if message.category is Category.PROMOTIONAL and message.recipient in data.opted_out:",
            "if message.recipient in data.opted_out:",
        ),
        _edit(
            "services/send/eligibility.py",
            "number=subject.recipient if is_promotional else None,",
            "number=subject.recipient,",
        ),
    ),
    _defect(
        "an opt-out keeps nothing back",
        "unit/application/opt_out",
        _edit(
            "services/send/eligibility.py",
            "if message.category is Category.PROMOTIONAL and message.recipient in data.opted_out:",
            "if message.category is Category.OTP and message.recipient in data.opted_out:",
        ),
    ),
    _defect(
        "a reply goes out though its conversation is closed",
        "unit/application/conversations",
        _edit(
            "services/send/eligibility.py",
            "if conversation is not None and conversation.is_open(now):",
            "if conversation is not None:",
        ),
    ),
    # --- vendors are spared -----------------------------------------------------------------------------------------
    _defect(
        "messages are sent before their turn",
        "unit/pace",
        _edit("services/send/dispatch.py", "            self._sleep(pause)\n", "            pass\n"),
    ),
    _defect(
        "a turn is taken however far ahead it is",
        "ports/rate",
        _edit("adapters/rate_limiter.py", '"taken_until BETWEEN :first AND :last"', '":first <= :last"'),
    ),
    _defect(
        "what has no turn is sent unpaced",
        "unit/pace",
        _edit(
            "services/send/pacer.py",
            "            if item.starts_at is None:\n",
            "            if item.starts_at == now:\n",
        ),
    ),
    _defect(
        "what its claim has made late goes out all at once",
        "unit/pace",
        _edit("services/send/pacer.py", "MAX_LATE: Final = 2\n", "MAX_LATE: Final = 200\n"),
    ),
    _defect(
        "a vendor that does not answer is asked for ever",
        "unit/circuits",
        _edit(
            "services/circuit_breakers.py",
            "if circuit.failures < MAX_FAILURES:",
            "if scope is not FailureScope.PROVIDER:",
        ),
    ),
    _defect(
        "everybody tries a vendor that was out of order",
        "unit/circuits",
        _edit(
            "services/circuit_breakers.py",
            "            circuit.open_until = now + OPEN_FOR\n        return True\n",
            "            pass\n        return True\n",
        ),
    ),
    # --- evidence of the right message ------------------------------------------------------------------------------
    _defect(
        "markup is stripped from the listed text as well",
        "unit/services/follow_up/matching",
        _edit(
            "services/follow_up/matching.py",
            "return _fold(listed) in map(_fold, forms)",
            "return any(_fold(form) in map(_fold, provider.listed_texts(listed)) for form in forms)  # type: ignore",
        ),
    ),
    _defect(
        "any angle brackets are markup",
        "unit/services/follow_up/matching",
        _edit("providers/nomsa/sms.py", 're.compile(r"</?[A-Za-z][^<>]*>")', 're.compile(r"<[^<>]*>")'),
    ),
    _defect(
        "a superseded attempt moves the message",
        "unit/services/webhook/receipts",
        _edit("domain/message.py", "if is_superseded and not report.proves_delivery:", "if False:"),
    ),
    _defect(
        "an attempt in flight is named after an earlier one",
        "unit/services/webhook/receipts",
        _edit(
            "services/webhook/receipts.py",
            "attempt = correlation.attempt if message.provider == provider else 0",
            "attempt = None",
        ),
    ),
    _defect(
        "a reference ends a message that was resent",
        "unit/services/webhook/receipts",
        _edit("services/webhook/receipts.py", "        if message.was_resent:\n", "        if False:\n"),
    ),
    _defect(
        "a reference alone ends a message that waits",
        "unit/services/webhook/receipts",
        _edit(
            "services/webhook/receipts.py",
            "has_attempt = message.status not in (Status.SCHEDULED, Status.QUEUED)",
            "has_attempt = True",
        ),
    ),
    _defect(
        "one id space for all channels of a vendor",
        "unit/services/webhook/receipts",
        _edit(
            "services/ports/correlations.py",
            'return f"{provider}#{channel}#{provider_message_id}"',
            'return f"{provider}##{provider_message_id}"',
        ),
    ),
    _defect(
        "items under the former key are not found",
        "unit/services/webhook/receipts",
        _edit(
            "services/webhook/receipts.py",
            "if former is not None and self._is_on_channel(former, channel):",
            "if False:",
        ),
    ),
    _defect(
        "an item under the former key moves a message of another channel",
        "unit/services/webhook/receipts",
        _edit(
            "services/webhook/receipts.py", "message is not None and message.channel is channel", "message is not None"
        ),
    ),
    _defect(
        "a reused vendor id moves the older message",
        "unit/services/webhook/receipts",
        _edit("services/webhook/receipts.py", "        if correlation.is_reused:\n", "        if False:\n"),
    ),
    _defect(
        "a vendor is asked about a reused id",
        "unit/services/webhook/receipts",
        _edit(
            "services/follow_up/service.py",
            "[message for message in group if message.message_id not in reused]",
            "list(group)",
        ),
    ),
    _defect(
        "reports of a correlation are applied to another message",
        "unit/services/webhook/receipts unit/services/follow_up/reconciliation",
        _edit(
            "services/reports.py",
            "if correlation.message_id != message.message_id or correlation.is_reused:",
            "if correlation.is_reused:",
        ),
    ),
    _defect(
        "resend waits for look-ups that are not possible",
        "unit/services/follow_up/next_state",
        _edit("services/follow_up/poller.py", " and message.provider_message_id is not None\n", "\n"),
    ),
    _defect(
        "resend has no limit of attempts",
        "unit/services/follow_up/next_state",
        _edit("services/follow_up/next_state.py", "        and message.attempt < MAX_ATTEMPTS\n", ""),
    ),
    _defect(
        "a refused poll counts as not found",
        "unit/services/follow_up/next_state",
        _edit(
            "services/follow_up/poller.py",
            '            self._record_failure(provider, "list", error)\n            return\n',
            '            self._record_failure(provider, "list", error)\n',
        ),
    ),
    _defect(
        "a refused look-up counts as not found",
        "unit/services/follow_up/poller",
        _edit(
            "services/follow_up/poller.py",
            '                self._record_failure(provider, "look-up", error)\n                continue\n',
            '                self._record_failure(provider, "look-up", error)\n                report = None\n',
        ),
    ),
    _defect(
        "a poll begins without time left",
        "unit/services/follow_up/poller",
        _edit("services/follow_up/reader.py", "if not Deadline(self._remaining).has_time_for_call():", "if False:"),
    ),
    _defect(
        "pages that repeat are read to the limit",
        "unit/services/follow_up/poller",
        _edit("services/follow_up/reader.py", "if page.is_last or (ids and ids <= seen):", "if page.is_last:"),
    ),
    _defect(
        "a look-up that answers about another id is evidence",
        "unit/services/follow_up/poller",
        _edit(
            "services/follow_up/reader.py",
            'report.provider_message_id in (asked, "")',
            "report.provider_message_id",
        ),
    ),
    # --- nothing leaked -------------------------------------------------------------------------------------------
    _defect(
        "the beginning of a webhook token is enough",
        "unit/services/webhook/tokens unit/services/webhook/service",
        _edit(
            "domain/webhook_token.py",
            "matches = [hmac.compare_digest(text, webhook_token(token, provider).encode()) for token in secret_tokens]",
            "matches = [given and webhook_token(token, provider).startswith(given) for token in secret_tokens]",
        ),
    ),
    _defect(
        "a webhook token of one provider opens another",
        "unit/domain/webhook_token unit/services/webhook/service",
        _edit("domain/webhook_token.py", "provider.encode(), sha256)", 'b"", sha256)'),
    ),
    _defect(
        "vendors get the oldest token of a rotation",
        "unit/services/routing",
        _edit("services/routing.py", "webhook_token(tokens[0], name)", "webhook_token(tokens[-1], name)"),
    ),
    _defect(
        "a wrong webhook token is not counted",
        "unit/services/webhook/service",
        _edit(
            "services/webhook/service.py",
            '        self._telemetry.count("WebhookTokenRejected", provider=provider)\n',
            "",
        ),
    ),
    _defect(
        "the encryption key is stored after the call",
        "unit/enclosures",
        _edit(
            "services/send/attachments.py",
            "key = self._encryption_keys.get_or_create(message, attachments.encryption_key)",
            "key = attachments.encryption_key",
        ),
        _edit(
            "services/send/attachments.py",
            "        key = outcome.encryption_key if isinstance(outcome, Taken) else None\n",
            """\
        if message.attachments.encryption_key is not None:
            self._encryption_keys.get_or_create(message, message.attachments.encryption_key)
        key = outcome.encryption_key if isinstance(outcome, Taken) else None
""",
        ),
    ),
    _defect(
        "the words of a message are kept after its end",
        "unit/send",
        _edit(
            "domain/message.py",
            "return replace(message, content=None, attachments",
            "return replace(message, attachments",
        ),
    ),
    _defect(
        "the digest of a request needs no key",
        "canary/canary",
        _edit(
            "contract/request.py",
            'return hmac.new(key, text.encode("utf-8", "surrogatepass"), sha256).hexdigest()',
            'return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()',
        ),
    ),
    _defect(
        "a whole number stands in a log line",
        "unit/telemetry",
        _edit(
            "adapters/telemetry.py",
            "return _NUMBER.sub(lambda number: mask(number[0]), str(value))",
            "return str(value)",
        ),
    ),
    _defect(
        "the text of an exception stands in the log",
        "canary/canary",
        _edit(
            "services/send/provider_calls.py",
            "            error=type(error).__name__,\n        )\n        is_final",
            "            error=str(error),\n        )\n        is_final",
        ),
    ),
    _defect(
        "the answer of a vendor stands in the log",
        "canary/canary",
        _edit(
            "services/send/provider_calls.py",
            "            http_status=response.status,\n",
            "            http_status=response.status,\n            body=response.body,\n",
        ),
    ),
    _defect(
        "a library logs what we tell AWS",
        "canary/adapters",
        _edit("adapters/aws.py", '        logging.getLogger("botocore").setLevel(logging.WARNING)\n', ""),
    ),
    _defect(
        "what AWS says of a refused write stands in the log",
        "canary/adapters",
        _edit(
            "adapters/aws.py",
            "{what}: {error.response.get('Error', {}).get('Code', 'error')}",
            "{what}: {error}",
        ),
    ),
    _defect(
        "a document type is allowed in XML",
        "unit/nusasms_xml",
        _edit("providers/nusasms/sms.py", 'if "<!" in text:', 'if "<!-" in text:'),
    ),
    _defect(
        "redirects are followed",
        "unit/transport_hostile unit/transport",
        _edit(
            "adapters/transport.py",
            "from contextvars import ContextVar\n",
            "from contextvars import ContextVar\nfrom dataclasses import replace\n",
        ),
        _edit(
            "adapters/transport.py",
            "            return self._call(request, call)\n",
            """\
            answer = self._call(request, call)
            if isinstance(answer, HttpResponse) and "location" in answer.headers:
                return self._call(replace(request, url=answer.headers["location"]), call)
            return answer
""",
        ),
    ),
    _defect(
        "the certificate of a vendor is not verified",
        "unit/transport_hostile unit/transport",
        _edit(
            "adapters/transport.py",
            "        # One for all connections: to read the CA bundle takes longer than a call.\n",
            """\
        ssl_context = ssl.create_default_context()
        ssl_context.check_hostname = False
        ssl_context.verify_mode = ssl.CERT_NONE
""",
        ),
    ),
)
