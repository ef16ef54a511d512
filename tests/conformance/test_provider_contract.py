"""The contract between providers and services, checked for every registered provider with its own cases."""

import json
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache, partial
from importlib import import_module
from itertools import product
from typing import Any, Final
from urllib.parse import parse_qsl, unquote_plus, urlencode

import pytest

from local.simulators.encodings import ENCODINGS
from sampai.domain.failure import Reason
from sampai.domain.http import HttpResponse, MalformedWebhookError, WebhookRequest
from sampai.domain.inbound import Inbound
from sampai.domain.message import Category, Content, Email, Media, Text, text_of_content
from sampai.domain.outcome import NotTaken, Outcome, Taken, Unknown
from sampai.domain.report import Report
from sampai.domain.template import Template
from sampai.domain.webhook_fields import read_fields
from sampai.providers.base import CONTENT_TYPES, Provider
from sampai.providers.features import (
    SupportsAccountChecks,
    SupportsBatchSend,
    SupportsListing,
    SupportsLookup,
    SupportsWebhooks,
)
from sampai.providers.registry import PROVIDERS, load
from sampai.providers.responses import AccountRefusedError
from tests.conformance.case import (
    AccountAnswer,
    Answer,
    BadWebhook,
    ListAnswer,
    LookupAnswer,
    ManyAnswer,
    ProviderCases,
    Refusal,
    Send,
    SendMany,
    Webhook,
)
from tests.conformance.features import feature_faults


def _names() -> dict[str, type[Provider]]:
    """Return the providers by the names of their case modules: a vendor with several channels has one for each."""
    found = {}
    for vendor in PROVIDERS:
        apis = load(vendor)
        for api in apis:
            found[vendor if len(apis) == 1 else f"{vendor}_{api.capabilities.channel}"] = api
    return found


APIS: Final = _names()
NAMES: Final = sorted(APIS)
by_provider = pytest.mark.parametrize("name", NAMES)

GARBAGE: Final = {
    "nothing": b"",
    "a page": b"<!doctype html><html><body>Welcome</body></html>",
    "a JSON null": b"null",
    "a JSON list": b"[]",
    "a list of lists": b"[[[]]]",
    "a JSON number": b"7",
    "a JSON text": b'"ok"',
    "an empty object": b"{}",
    "an object of nothing that we know": b'{"x":{"y":[1,null,true]}}',
    "objects for lists": b'{"data":{},"messages":{},"results":{}}',
    "texts for lists": b'{"data":"","messages":"","results":""}',
    "half an object": b'{"id":"1","data":{"uid":"1","messages":[{"messageId":"1"',
    "deep nesting": b"[" * 100_000,
    "a deep object": b'{"data":' * 100_000,
    "a huge number": b'{"id":' + b"9" * 5_000 + b"}",
    "not UTF-8": b'{"id":"\xff\xfe"}',
    "NUL bytes": b"\x00\x00\x00",
}
SAYS_NOTHING: Final = (200, 201, 204, 302, 408, 500, 502, 503)
REFUSES: Final = (400, 401, 402, 403, 404, 422, 429)
PAGE: Final = 0


# --- cases ------------------------------------------------------------------------------------------------------------


@cache
def cases_of(name: str) -> ProviderCases:
    """Return a provider's cases. A provider without a case module fails; it is never skipped."""
    try:
        cases = import_module(f"tests.conformance.cases.{name}").CASES
    except ModuleNotFoundError as error:
        raise AssertionError(f"{name} is registered and has no cases") from error
    assert isinstance(cases, ProviderCases)
    return cases


def provider_of(name: str) -> Provider:
    return APIS[name](cases_of(name).account)


def each(field: str) -> pytest.MarkDecorator:
    """Parametrise over every entry of one field of every provider's cases; a missing case module is reported once."""
    params = []
    for name in NAMES:
        try:
            entries = getattr(cases_of(name), field)
        except Exception:  # noqa: S112 - reported by the test that asks for cases
            continue
        params += [pytest.param(name, entry, id=f"{name}-{entry.title}") for entry in entries]
    return pytest.mark.parametrize(("name", "case"), params)


def tables(name: str, suffix: str) -> dict[str, Any]:
    """Return the words of a provider's public tables `STATUSES` or `FAILURES` (also `SMS_STATUSES` and the like)."""
    module = import_module(APIS[name].__module__)
    words: dict[str, Any] = {}
    for attribute, table in vars(module).items():
        if attribute.endswith(suffix) and not attribute.startswith("_") and isinstance(table, dict):
            words |= {str(word): meaning for word, meaning in table.items()}
    return words


def outcome_of(provider: Provider, response: HttpResponse) -> Outcome:
    """Read an answer as the services do: if the parser raises, the outcome is unknown."""
    try:
        return provider.parse_send(response)
    except Exception as error:
        return Unknown(why=type(error).__name__)


def is_same(actual: Outcome, expected: Outcome) -> bool:
    """Return whether two outcomes are equal. The reason of an unknown outcome is only for people and does not count."""
    if isinstance(expected, Unknown):
        return isinstance(actual, Unknown)
    return actual == expected


def wire_of(cases: ProviderCases) -> dict[str, str]:
    """Return all texts of the vendor in lower case: those of answers to sends, and those of reports."""
    told = [answer.response.body for answer in cases.lookup_answers]
    told += [answer.response.body for answer in cases.list_answers]
    told += [part for case in cases.webhooks for part in (case.request.query.encode(), case.request.body)]
    said = [answer.response.body for answer in cases.answers]
    said += [answer.response.body for answer in cases.many_answers]
    return {"answers": _text(said), "reports": _text(told)}


def _text(parts: Iterable[bytes]) -> str:
    """Return the parts as they are and decoded as a form: words occur in both."""
    text = b"\n".join(parts).decode("utf-8", "replace").lower()
    return f"{text}\n{unquote_plus(text)}"


def error_texts_of(cases: ProviderCases) -> Iterator[str]:
    """Yield the error texts of the answers to sends, without a period: a table of failures may hold their patterns."""
    responses = [answer.response for answer in cases.answers] + [answer.response for answer in cases.many_answers]
    for response in responses:
        try:
            document = response.json()
        except ValueError:
            continue
        if isinstance(document, dict):
            yield str(document.get("message")).removesuffix(".")


def has_word(wire: str, word: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word.lower())}(?!\w)", wire) is not None


# --- registry and capabilities ----------------------------------------------------------------------------------------


@by_provider
def test_every_registered_provider_has_cases(name: str) -> None:
    assert cases_of(name).sends


@pytest.mark.parametrize("vendor", sorted(PROVIDERS))
def test_a_provider_is_registered_under_its_own_name_once_for_each_channel(vendor: str) -> None:
    apis = load(vendor)

    assert {api.name for api in apis} == {vendor}
    assert all(api.__module__.split(".")[2] == vendor for api in apis)
    assert len({api.capabilities.channel for api in apis}) == len(apis)


def test_a_name_that_is_not_registered_is_not_loaded() -> None:
    with pytest.raises(KeyError):
        load("nobody")


@by_provider
def test_the_account_of_the_cases_has_exactly_the_declared_credentials(name: str) -> None:
    assert cases_of(name).account.credentials.keys() == APIS[name].capabilities.credentials


@by_provider
def test_the_default_address_is_https_without_a_slash_at_its_end(name: str) -> None:
    assert re.fullmatch(r"https://[^?#]*[^/?#]", APIS[name].default_base_url)


@by_provider
def test_every_feature_is_declared_and_whole_or_absent(name: str) -> None:
    assert feature_faults(APIS[name]) == []


# --- send -----------------------------------------------------------------------------------------------------------


@each("sends")
def test_a_message_becomes_exactly_this_request(name: str, case: Send) -> None:
    provider = provider_of(name)

    assert provider.validate(case.message) is None
    assert provider.build_send(case.message) == case.request


@each("answers")
def test_answer_has_this_outcome(name: str, case: Answer) -> None:
    actual = outcome_of(provider_of(name), case.response)

    assert is_same(actual, case.outcome), f"{actual} is not {case.outcome}"


@each("answers")
def test_answer_after_a_byte_order_mark_has_the_same_outcome(name: str, case: Answer) -> None:
    marked = replace(case.response, body=BOM_UTF8 + case.response.body.removeprefix(BOM_UTF8))

    assert is_same(outcome_of(provider_of(name), marked), case.outcome)


@by_provider
def test_the_cases_show_all_three_outcomes(name: str) -> None:
    assert {type(answer.outcome) for answer in cases_of(name).answers} == {Taken, NotTaken, Unknown}


@by_provider
@pytest.mark.parametrize("body", GARBAGE.values(), ids=GARBAGE)
def test_garbage_without_a_refusal_leaves_the_outcome_unknown(name: str, body: bytes) -> None:
    provider = provider_of(name)

    outcomes = {status: outcome_of(provider, HttpResponse(status=status, body=body)) for status in SAYS_NOTHING}

    assert {status: out for status, out in outcomes.items() if not isinstance(out, Unknown)} == {}


@by_provider
@pytest.mark.parametrize("body", GARBAGE.values(), ids=GARBAGE)
def test_garbage_under_a_refusal_is_never_taken(name: str, body: bytes) -> None:
    provider = provider_of(name)

    outcomes = {status: outcome_of(provider, HttpResponse(status=status, body=body)) for status in REFUSES}

    assert {status: out for status, out in outcomes.items() if isinstance(out, Taken)} == {}


@by_provider
@pytest.mark.parametrize("body", [b"", b"<html>slow down</html>", b"{}"], ids=["nothing", "a page", "an object"])
def test_429_is_not_taken_and_names_the_time_of_the_next_try(name: str, body: bytes) -> None:
    response = HttpResponse(status=429, headers={"retry-after": "7"}, body=body)

    outcome = provider_of(name).parse_send(response)

    assert isinstance(outcome, NotTaken)
    assert (outcome.reason, outcome.is_final, outcome.retry_after_seconds) == (Reason.RATE_LIMITED, False, 7.0)


@by_provider
def test_bare_402_means_that_the_account_has_no_credit(name: str) -> None:
    outcome = provider_of(name).parse_send(HttpResponse(status=402))

    assert isinstance(outcome, NotTaken)
    assert (outcome.reason, outcome.is_final, outcome.scope.value) == (Reason.INSUFFICIENT_CREDIT, False, "provider")


@by_provider
def test_bare_401_concerns_the_account_and_not_the_message(name: str) -> None:
    outcome = provider_of(name).parse_send(HttpResponse(status=401))

    assert isinstance(outcome, NotTaken)
    assert (outcome.reason, outcome.is_final, outcome.scope.value) == (Reason.AUTHENTICATION, False, "provider")


@each("answers")
def test_unknown_fields_of_an_answer_are_ignored(name: str, case: Answer) -> None:
    provider = provider_of(name)

    assert is_same(outcome_of(provider, with_more_fields(case.response)), case.outcome)


@each("answers")
def test_byte_order_mark_before_an_answer_changes_nothing(name: str, case: Answer) -> None:
    marked = replace(case.response, body=b"\xef\xbb\xbf" + case.response.body.removeprefix(b"\xef\xbb\xbf"))

    assert is_same(outcome_of(provider_of(name), marked), case.outcome)


# --- refusals ---------------------------------------------------------------------------------------------------------


@each("refusals")
def test_a_message_is_refused_before_anything_is_sent(name: str, case: Refusal) -> None:
    assert provider_of(name).validate(case.message) == case.failure


@by_provider
@pytest.mark.parametrize("too_many", [False, True], ids=["the limit", "one more"])
def test_a_text_is_refused_when_it_is_longer_than_declared(name: str, too_many: bool) -> None:
    provider = provider_of(name)
    words = "x" * (provider.capabilities.max_characters + too_many)
    is_email = Email in provider.capabilities.contents
    content = Email(subject=words[:1], body=words[2:]) if is_email else Text(text=words)
    message = next(case.message for case in cases_of(name).sends if isinstance(case.message.content, type(content)))

    failure = provider.validate(replace(message, content=content))

    assert (failure is not None and failure.reason is Reason.TOO_LONG) is too_many


@by_provider
def test_an_option_that_is_not_declared_is_refused(name: str) -> None:
    message = replace(cases_of(name).sends[0].message, provider_options={APIS[name].name: {"no_such_option": True}})

    failure = provider_of(name).validate(message)

    assert failure is not None
    assert (failure.reason, "no_such_option" in (failure.detail or "")) == (Reason.UNSUPPORTED, True)


@by_provider
def test_option_for_another_provider_is_ignored(name: str) -> None:
    message = replace(cases_of(name).sends[0].message, provider_options={"another": {"no_such_option": True}})

    assert provider_of(name).validate(message) is None


@by_provider
@pytest.mark.parametrize("kind", [Text, Media, Template, Email])
def test_content_type_that_is_not_declared_is_refused(name: str, kind: type[Content]) -> None:
    provider = provider_of(name)
    contents: dict[type[Content], Content] = {
        Text: Text(text="x"),
        Media: Media(media_url="https://f.example/1"),
        Template: Template(template_id="1"),
        Email: Email(subject="x", body="x"),
    }
    message = replace(cases_of(name).sends[0].message, content=contents[kind])

    failure = provider.validate(message)

    is_refused = failure is not None and failure.detail == (
        f"content.type: {provider.name} takes no {CONTENT_TYPES[kind]} on {provider.capabilities.channel}"
    )
    assert is_refused is (kind not in provider.capabilities.contents)


@by_provider
@pytest.mark.parametrize("too_many", [False, True], ids=["the limit", "one more"])
def test_an_audience_is_refused_when_it_has_more_lists_than_declared(name: str, too_many: bool) -> None:
    provider = provider_of(name)
    lists = tuple(f"list{number}" for number in range(provider.capabilities.max_lists + too_many))

    failure = provider.validate(replace(cases_of(name).sends[0].message, recipient=None, audience=lists))

    assert (failure is not None and (failure.detail or "").startswith("audience: ")) is too_many


@by_provider
def test_a_conversation_is_refused_where_none_is_declared(name: str) -> None:
    provider = provider_of(name)

    failure = provider.validate(replace(cases_of(name).sends[0].message, room_id="a-room"))

    is_refused = failure is not None and (failure.detail or "").startswith("room_id: ")
    assert is_refused is not provider.capabilities.has_conversations


# --- several in one call ----------------------------------------------------------------------------------------------


@each("many_sends")
def test_messages_that_share_a_call_become_exactly_this_request(name: str, case: SendMany) -> None:
    provider = provider_of(name)

    assert isinstance(provider, SupportsBatchSend)
    assert len({provider.batch_key(message) for message in case.messages}) == 1
    assert provider.batch_key(case.messages[0]) is not None
    assert provider.build_send_many(case.messages) == case.request


@each("many_answers")
def test_answer_to_several_messages_gives_each_its_own_outcome(name: str, case: ManyAnswer) -> None:
    provider = provider_of(name)
    assert isinstance(provider, SupportsBatchSend)

    for response in (case.response, with_more_fields(case.response)):
        try:
            actual = provider.parse_send_many(response, case.messages)
        except Exception:
            actual = [Unknown(why="not read")] * len(case.messages)
        differing = [(a, e) for a, e in zip(actual, case.outcomes, strict=True) if not is_same(a, e)]
        assert differing == []


@pytest.mark.parametrize("name", [name for name in NAMES if issubclass(APIS[name], SupportsBatchSend)])
def test_only_promotional_messages_share_a_call_and_only_in_the_first_attempt(name: str) -> None:
    provider = provider_of(name)
    assert isinstance(provider, SupportsBatchSend)
    message = cases_of(name).many_sends[0].messages[0]
    ways = {
        "promotional": replace(message, category=Category.PROMOTIONAL, attempt=1),
        "turned away before": replace(message, category=Category.PROMOTIONAL, attempt=2),
        "a payment notice": replace(message, category=Category.TRANSACTIONAL, attempt=1),
        "a one-time password": replace(message, category=Category.OTP, attempt=1),
    }

    shared = {way for way, each_message in ways.items() if provider.batch_key(each_message) is not None}

    assert shared == {"promotional"}


@by_provider
@pytest.mark.parametrize("body", GARBAGE.values(), ids=GARBAGE)
def test_garbage_for_several_messages_accepts_none_and_fails_none_for_good(name: str, body: bytes) -> None:
    provider = provider_of(name)
    for case in cases_of(name).many_sends:
        assert isinstance(provider, SupportsBatchSend)
        for status in (*SAYS_NOTHING, *REFUSES):
            try:
                outcomes = provider.parse_send_many(HttpResponse(status=status, body=body), case.messages)
            except Exception:
                outcomes = [Unknown(why="not read")] * len(case.messages)
            assert [o for o in outcomes if isinstance(o, Taken) or (isinstance(o, NotTaken) and o.is_final)] == []
            assert status in REFUSES or all(isinstance(outcome, Unknown) for outcome in outcomes)


# --- the account ------------------------------------------------------------------------------------------------------


@by_provider
def test_each_check_of_the_account_is_exactly_this_request(name: str) -> None:
    provider, checks = provider_of(name), cases_of(name).account_checks

    assert {check for check, _ in checks} == provider.capabilities.account_checks
    for check, request in checks:
        assert isinstance(provider, SupportsAccountChecks)
        assert provider.build_account_check(check) == request


@each("account_answers")
def test_an_answer_about_the_account_is_read(name: str, case: AccountAnswer) -> None:
    provider = provider_of(name)
    assert isinstance(provider, SupportsAccountChecks)

    for response in (case.response, with_more_fields(case.response)):
        if case.status is not None:
            assert provider.parse_account_check(case.check, response) == case.status
            continue
        with pytest.raises(Exception) as caught:  # noqa: PT011 - a parser may raise whatever it likes
            provider.parse_account_check(case.check, response)
        assert isinstance(caught.value, AccountRefusedError) is case.is_refused


@by_provider
def test_each_check_of_the_account_has_an_answer_a_refusal_and_an_outage(name: str) -> None:
    for check in provider_of(name).capabilities.account_checks:
        answers = [answer for answer in cases_of(name).account_answers if answer.check == check]
        kinds = {(answer.status is not None, answer.is_refused) for answer in answers}
        assert kinds == {(True, False), (False, True), (False, False)}, check


# --- the vendor's pages -----------------------------------------------------------------------------------------------


def requests_of(cases: ProviderCases) -> list[tuple[str, str]]:
    """Return method and path below the base of every request in the cases."""
    built = [case.request for case in cases.sends]
    built += [case.request for case in cases.many_sends]
    built += [request for _, request in cases.account_checks]
    built += [request for _, _, request in cases.list_requests]
    built += [cases.lookup[1]] if cases.lookup is not None else []
    return [(r.method, r.url.removeprefix(cases.account.base_url).partition("?")[0]) for r in built]


@by_provider
def test_every_documented_operation_has_a_case_and_no_other_has(name: str) -> None:
    cases = cases_of(name)
    requests = requests_of(cases)

    def fits(request: tuple[str, str], endpoint: tuple[str, str]) -> bool:
        return request[0] == endpoint[0] and re.fullmatch(endpoint[1], request[1]) is not None

    assert cases.endpoints
    assert [e for e in cases.endpoints if not any(fits(request, e) for request in requests)] == []
    assert [request for request in requests if not any(fits(request, e) for e in cases.endpoints)] == []


@by_provider
def test_every_documented_word_and_code_has_a_case(name: str) -> None:
    wires = "\n".join(wire_of(cases_of(name)).values())

    assert [word for word in cases_of(name).documented if not has_word(wires, word)] == []


# --- the vendor's words -----------------------------------------------------------------------------------------------


@by_provider
def test_every_status_word_appears_in_a_report(name: str) -> None:
    wire = wire_of(cases_of(name))["reports"]

    assert [word for word in tables(name, "STATUSES") if not has_word(wire, word)] == []


@by_provider
def test_every_failure_appears_in_an_answer(name: str) -> None:
    cases = cases_of(name)
    wire, texts = wire_of(cases)["answers"], list(error_texts_of(cases))

    def appears(failure: str) -> bool:
        return has_word(wire, failure) or any(re.fullmatch(failure, text, re.IGNORECASE) for text in texts)

    assert [failure for failure in tables(name, "FAILURES") if not appears(failure)] == []


def ways_of(cases: ProviderCases) -> Iterator[tuple[str, list[Report]]]:
    """Yield the reports of the cases by the way they come: look-up, list, and each kind of webhook."""
    yield "look-up", [answer.report for answer in cases.lookup_answers if answer.report]
    pages = [answer.page for answer in cases.list_answers if answer.page]
    yield "list", [entry.report for page in pages for entry in page.entries if entry.report]
    for kind in {webhook.kind for webhook in cases.webhooks}:
        told = [report for webhook in cases.webhooks if webhook.kind == kind for report in webhook.reports]
        yield kind, [report for report in told if isinstance(report, Report)]


@by_provider
def test_undocumented_status_word_is_read_and_changes_nothing(name: str) -> None:
    cases = cases_of(name)
    known = {word.lower() for word in tables(name, "STATUSES")}

    for way, reports in ways_of(cases):
        strange = [report.status for report in reports if report.provider_status.lower() not in known]
        assert not reports or cases.unknown_word in strange, f"{way}: no case shows an unknown provider status"


# --- look-up and list -------------------------------------------------------------------------------------------------


@by_provider
def test_declared_features_have_cases_and_the_others_are_not_implemented(name: str) -> None:
    api, cases = APIS[name], cases_of(name)
    can_look_up, can_list = issubclass(api, SupportsLookup), issubclass(api, SupportsListing)

    assert (cases.lookup is not None, bool(cases.lookup_answers)) == (can_look_up, can_look_up)
    assert (bool(cases.list_requests), bool(cases.list_answers)) == (can_list, can_list)
    assert (bool(cases.many_sends), bool(cases.many_answers)) == (issubclass(api, SupportsBatchSend),) * 2
    assert {webhook.kind for webhook in cases.webhooks} == api.capabilities.webhooks.keys()


@by_provider
def test_a_look_up_is_exactly_this_request(name: str) -> None:
    provider, lookup = provider_of(name), cases_of(name).lookup
    if lookup is not None:
        provider_message_id, request = lookup
        assert isinstance(provider, SupportsLookup)
        assert provider.build_lookup(provider_message_id) == request


@each("lookup_answers")
def test_an_answer_to_a_look_up_is_read(name: str, case: LookupAnswer) -> None:
    provider = provider_of(name)
    assert isinstance(provider, SupportsLookup)

    for response in (case.response, with_more_fields(case.response)):
        if case.unreadable:
            with pytest.raises(Exception):  # noqa: B017, PT011 - a parser may raise whatever it likes
                provider.parse_lookup(response)
        else:
            assert provider.parse_lookup(response) == case.report


@by_provider
def test_a_page_of_the_list_is_exactly_this_request(name: str) -> None:
    provider = provider_of(name)
    for window, page, request in cases_of(name).list_requests:
        assert isinstance(provider, SupportsListing)
        assert provider.build_list(window, page) == request


@each("list_answers")
def test_an_answer_to_a_list_is_read(name: str, case: ListAnswer) -> None:
    provider = provider_of(name)
    assert isinstance(provider, SupportsListing)

    for response in (case.response, with_more_fields(case.response)):
        if case.page is None:
            with pytest.raises(Exception):  # noqa: B017, PT011 - a parser may raise whatever it likes
                provider.parse_list(response, case.number)
        else:
            assert provider.parse_list(response, case.number) == case.page


@by_provider
@pytest.mark.parametrize("body", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_never_read_as_the_absence_of_a_message(name: str, body: bytes) -> None:
    provider = provider_of(name)

    for status in (*SAYS_NOTHING, 401, 403, 429):
        response = HttpResponse(status=status, body=body)
        if isinstance(provider, SupportsLookup):
            with pytest.raises(Exception):  # noqa: B017, PT011 - a parser may raise whatever it likes
                provider.parse_lookup(response)
        if isinstance(provider, SupportsListing):
            with pytest.raises(Exception):  # noqa: B017, PT011 - a parser may raise whatever it likes
                provider.parse_list(response, PAGE)


# --- webhooks ---------------------------------------------------------------------------------------------------------


def parse_webhook(name: str, kind: str, request: WebhookRequest) -> tuple[Report | Inbound, ...]:
    """Parse a callback with the provider that declares its kind."""
    api = APIS[name]
    assert issubclass(api, SupportsWebhooks)
    return api.parse_webhook(kind, request)


@each("webhooks")
def test_a_genuine_webhook_is_read(name: str, case: Webhook) -> None:
    assert parse_webhook(name, case.kind, case.request) == case.reports


@each("webhooks")
def test_a_webhook_is_read_by_its_declared_fields_alone(name: str, case: Webhook) -> None:
    fields = read_fields(case.request, APIS[name].capabilities.webhooks[case.kind])

    assert parse_webhook(name, case.kind, WebhookRequest(method="GET", query=urlencode(fields))) == case.reports


@each("webhooks")
def test_additional_field_in_a_webhook_is_ignored(name: str, case: Webhook) -> None:
    more = replace(case.request, query=f"{case.request.query}&x_new=1" if case.request.query else "x_new=1")
    if case.request.method == "POST" and not case.request.query:
        more = replace(case.request, body=with_one_more_field(case.request))

    assert parse_webhook(name, case.kind, more) == case.reports


@each("webhooks")
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_genuine_webhook_is_read_in_every_encoding(name: str, case: Webhook, encoding: str) -> None:
    encoded = ENCODINGS[encoding](fields_of(case.request))
    request = WebhookRequest(
        method=encoded.method, query=encoded.query, headers={"content-type": encoded.content_type}, body=encoded.body
    )

    assert parse_webhook(name, case.kind, request) == case.reports


@each("bad_webhooks")
def test_a_malformed_webhook_is_refused(name: str, case: BadWebhook) -> None:
    with pytest.raises(MalformedWebhookError):
        parse_webhook(name, case.kind, case.request)


@by_provider
@pytest.mark.parametrize("body", GARBAGE.values(), ids=GARBAGE)
@pytest.mark.parametrize("media_type", ["", "application/json", "application/x-www-form-urlencoded"])
def test_garbage_is_a_malformed_webhook_of_every_kind(name: str, media_type: str, body: bytes) -> None:
    request = WebhookRequest(method="POST", headers={"content-type": media_type}, body=body)

    for kind in APIS[name].capabilities.webhooks:
        with pytest.raises(MalformedWebhookError):
            parse_webhook(name, kind, request)


@each("webhooks")
def test_a_webhook_that_contradicts_itself_is_refused(name: str, case: Webhook) -> None:
    with pytest.raises(MalformedWebhookError):
        parse_webhook(name, case.kind, contradicting(case.request))


# --- discretion -------------------------------------------------------------------------------------------------------


def secrets_of(cases: ProviderCases) -> set[str]:
    """Return the values that must not appear anywhere: credentials, texts, numbers, and the secrets of the cases."""
    told = set(cases.secrets) | set(cases.account.credentials.values())
    told |= {words for case in cases.sends if (words := text_of_content(case.message.content))}
    return told | {case.message.recipient.removeprefix("+") for case in cases.sends if case.message.recipient}


def shown_by(name: str) -> Iterator[str]:
    """Yield every text that a log could contain about a provider's work."""
    provider, cases = provider_of(name), cases_of(name)
    yield repr(cases.account)
    for send in cases.sends:
        yield from (repr(send.message), repr(provider.build_send(send.message)))
    for refusal in cases.refusals:
        yield repr(provider.validate(refusal.message))
    for response in answers_of(cases):
        yield from (repr(response), shown(partial(provider.parse_send, response)))
    yield from _shown_by_polls(provider, cases)
    yield from _shown_by_other_calls(provider, cases)
    calls = [(case.kind, case.request) for case in cases.webhooks]
    calls += [(case.kind, case.request) for case in cases.bad_webhooks]
    for kind, request in calls:
        yield from (repr(request), shown(partial(parse_webhook, name, kind, request)))


def _shown_by_polls(provider: Provider, cases: ProviderCases) -> Iterator[str]:
    if isinstance(provider, SupportsLookup) and cases.lookup is not None:
        yield repr(provider.build_lookup(cases.lookup[0]))
        yield from (shown(partial(provider.parse_lookup, response)) for response in answers_of(cases))
    if isinstance(provider, SupportsListing):
        yield from (repr(provider.build_list(window, page)) for window, page, _ in cases.list_requests)
        yield from (shown(partial(provider.parse_list, response, PAGE)) for response in answers_of(cases))


def _shown_by_other_calls(provider: Provider, cases: ProviderCases) -> Iterator[str]:
    for response in answers_of(cases):
        if isinstance(provider, SupportsAccountChecks):
            checks = [check for check, _ in cases.account_checks]
            yield from (shown(partial(provider.parse_account_check, check, response)) for check in checks)
        if isinstance(provider, SupportsBatchSend):
            yield from (shown(partial(provider.parse_send_many, response, many.messages)) for many in cases.many_sends)


def answers_of(cases: ProviderCases) -> Iterator[HttpResponse]:
    yield from (answer.response for answer in cases.answers)
    yield from (answer.response for answer in cases.lookup_answers)
    yield from (answer.response for answer in cases.list_answers)
    yield from (answer.response for answer in cases.many_answers)
    yield from (answer.response for answer in cases.account_answers)
    for secret, status in product(secrets_of(cases), (200, 400, 500)):
        for body in (secret, f"<p>{secret}", json.dumps(secret), json.dumps({"message": secret, "error": secret})):
            yield HttpResponse(status=status, body=body.encode())


def shown(call: Callable[[], object]) -> str:
    try:
        return repr(call())
    except Exception as error:
        return f"{error} {error!r}"


@by_provider
def test_no_credential_text_or_number_shows_in_a_repr_or_an_error(name: str) -> None:
    secrets = secrets_of(cases_of(name))
    everything = "\n".join(shown_by(name))

    assert [secret for secret in secrets if secret in everything] == []


# --- unknown fields ---------------------------------------------------------------------------------------------------


def with_more_fields(response: HttpResponse) -> HttpResponse:
    """Return a JSON answer with an unknown field in each of its objects; return any other answer unchanged."""
    try:
        document = response.json()
    except ValueError:
        return response
    return replace(response, body=json.dumps(_grown(document)).encode())


def _grown(value: Any) -> Any:
    if isinstance(value, dict):
        return {**{name: _grown(entry) for name, entry in value.items()}, "x_new": {"y": [1, None]}}
    return [_grown(entry) for entry in value] if isinstance(value, list) else value


def with_one_more_field(request: WebhookRequest) -> bytes:
    if request.body.lstrip()[:1] == b"{":
        return json.dumps({**json.loads(request.body), "x_new": "1"}).encode()
    return request.body.rstrip() + b"&x_new=1"


def fields_of(request: WebhookRequest) -> dict[str, str]:
    """Return the fields of a callback that have one value. A value of JSON becomes a text."""
    fields = dict(parse_qsl(request.query, keep_blank_values=True))
    if request.body.lstrip()[:1] != b"{":
        return fields | dict(parse_qsl(request.body.strip().decode(), keep_blank_values=True))
    values = json.loads(request.body).items()
    return fields | {name: str(value) for name, value in values if isinstance(value, str | int)}


def contradicting(request: WebhookRequest) -> WebhookRequest:
    """Return a callback whose first field comes a second time, with another value."""
    if request.query:
        return replace(request, query=f"{request.query}&{request.query.partition('=')[0]}=another")
    body = request.body.strip()
    if body[:1] == b"{":
        first = next(iter(json.loads(body)))
        return replace(request, body=b'{"%b":"another",%b' % (first.encode(), body[1:]))
    return replace(request, body=b"%b&%b=another" % (body, body.partition(b"=")[0]))
