"""The console answers this computer and its own pages only, and says each error in one sentence."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from sampai_cli.console.app import HEADERS, new_app
from sampai_cli.console.reader import Reader
from sampai_cli.stack import Stack
from tests.unit.cli.conftest import World
from tests.unit.cli.console.conftest import browser, visible

PATHS = ("/", "/messages/delivered-1", "/charts", "/dead-letters")
STRANGER = "The console answers its own pages only, at 127.0.0.1 and localhost.\n"


def test_every_answer_has_the_guards_and_no_cookie(stack: Stack) -> None:
    client = browser(stack)
    for path in (*PATHS, "/messages/nobody", "/nothing", "/?status=lost", "/static/console.js"):
        with client.get(path) as answer:
            assert dict(answer.headers).items() >= HEADERS.items()
            assert "Set-Cookie" not in answer.headers
    assert "'unsafe" not in HEADERS["Content-Security-Policy"]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "127.0.0.2", "localhost.", ""])
def test_another_host_is_refused_without_a_word_about_the_stack(host: str, stack: Stack) -> None:
    client = browser(stack)
    answers = [client.get(path, headers={"Host": host}) for path in (*PATHS, "/nothing", "/static/console.css")]

    assert {(answer.status_code, answer.text) for answer in answers} == {(403, STRANGER)}


def test_the_own_hosts_are_answered(stack: Stack) -> None:
    client = browser(stack)
    for host in ("127.0.0.1", "127.0.0.1:4800", "localhost", "localhost:4800"):
        assert client.get("/", headers={"Host": host}).status_code == 200


FETCHES = [
    ("cross-site", "image", 403),
    ("same-site", "empty", 403),
    ("cross-site", "iframe", 403),
    ("cross-site", "document", 200),
    ("same-origin", "empty", 200),
    ("none", "document", 200),
]


def test_another_site_can_link_to_a_page_and_nothing_else(stack: Stack) -> None:
    client = browser(stack)
    for site, destination, status in FETCHES:
        headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Dest": destination}
        assert client.get("/dead-letters", headers=headers).status_code == status


def test_there_is_no_other_method_than_get(stack: Stack) -> None:
    client = browser(stack)
    methods = ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE")

    assert {client.open(path, method=method).status_code for path in PATHS for method in methods} == {405}


def test_no_page_has_a_script_or_a_style_of_its_own_or_loads_anything_from_elsewhere(stack: Stack) -> None:
    client = browser(stack)
    for html in (client.get(path).text for path in PATHS):
        assert html.count("<script") == html.count('<script src="/static/console.js" defer></script>') == 1
        assert [
            word for word in ("<style", " style=", "http://", "https://", "//cdn", " onclick") if word in html
        ] == []


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        (
            "/messages/nobody",
            404,
            "There is no message nobody in sampai-test. Its request may still be in a queue, was never sent, or is "
            "older than the retention. `sampai dlq list` shows requests that failed.",
        ),
        (
            "/?id=%2B85591234510",
            404,
            "This is no message_id: 1 to 64 letters, digits and any of . _ : -",
        ),
        ("/messages/%3Cb%3E", 404, "This is no message_id: 1 to 64 letters, digits and any of . _ : -"),
        ("/?since=yesterday", 400, "'yesterday' is no time. Use 30m, 2h, 3d, or an RFC 3339 time such as "),
        ("/?status=%3Cscript%3E", 400, "'<script>' is no status. Use one of open, scheduled, queued, "),
        ("/charts?since=2999-01-01T00:00:00Z", 400, "The charts need a time in the past. Use 30m, 2h or 3d."),
        ("/nothing", 404, "There is no such page."),
    ],
)
def test_a_wrong_request_is_one_sentence(path: str, status: int, sentence: str, stack: Stack) -> None:
    answer = browser(stack).get(path)

    heading, shown, *_ = visible(answer.text)
    assert (answer.status_code, heading) == (status, "This cannot be shown")
    assert shown.startswith(sentence)
    assert "85591234510" not in answer.text
    assert "<script>" not in answer.text


def refused(code: str, message: str = "Private 1234") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Scan")


ERRORS: list[tuple[Exception, int, str]] = [
    (refused("ExpiredTokenException"), 503, "Your AWS session has expired. Log in again, for example"),
    (
        refused("AccessDeniedException", "User: x is not authorized to perform: dynamodb:Scan on resource: y"),
        503,
        "You are not allowed to call dynamodb:Scan. docs/reference/cli.md lists the permissions that `sampai console` "
        "needs.",
    ),
    (EndpointConnectionError(endpoint_url="http://127.0.0.1:4566"), 503, "AWS does not answer (EndpointConnectionErr"),
    (NoCredentialsError(), 503, "No AWS credentials found. Log in, or set AWS_PROFILE"),
    (refused("ValidationError", "Stack with id sampai-x does not exist"), 503, "There is no stack sampai-x in this ac"),
    (ValueError("Private 1234"), 500, "A bug of the console (ValueError). SAMPAI_TRACEBACK=1 shows where; report it."),
]


@pytest.mark.parametrize(("error", "status", "sentence"), ERRORS)
def test_an_error_of_aws_is_one_sentence_on_every_page(
    error: Exception, status: int, sentence: str, world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(service: str) -> Any:
        raise error

    client = browser(replace(world.stack, client=fail))
    for answer in map(client.get, PATHS):
        heading, shown, *_ = visible(answer.text)
        assert (answer.status_code, heading) == (status, "This cannot be shown")
        assert shown.startswith(sentence)
        assert "Private" not in answer.text + "".join(capfd.readouterr())


def test_a_page_tries_again_by_itself_after_an_error_of_aws_only(world: World) -> None:
    def fail(service: str) -> Any:
        raise refused("ExpiredTokenException")

    gone, unknown = browser(replace(world.stack, client=fail)).get("/"), browser(world.stack).get("/messages/nobody")

    assert visible(gone.text)[-1] == "The page tries again every 3 seconds. All messages"
    assert visible(unknown.text)[-1] == "All messages"
    assert ['data-refresh="3"' in gone.text, 'data-refresh="0"' in unknown.text] == [True, True]


def test_a_caller_without_the_permission_for_the_vendors_words_sees_the_rest(stack: Stack) -> None:
    def refuse(**_: Any) -> None:
        raise refused("AccessDeniedException")

    def client(service: str) -> Any:
        found = stack.client(service)
        found.meta.events.register("before-call.dynamodb.Query", refuse)
        return found

    lines = visible(browser(replace(stack, client=client)).get("/messages/refused-1").text)

    assert lines[4:7] == [
        "Timeline",
        "The vendors' words are not shown: they need dynamodb:Query on the table of attempts.",
        "sending by send event 1",
    ]


def test_a_stack_that_comes_back_is_found_again(world: World) -> None:
    answers: list[Exception | Stack] = [refused("ValidationError", "Stack with id s does not exist"), world.stack]

    def find() -> Stack:
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    client = new_app(Reader(find), stack_name="s").test_client()

    assert [client.get("/").status_code for _ in range(3)] == [503, 200, 200]


def test_a_broken_stack_is_looked_up_again_but_not_at_each_error(world: World) -> None:
    lookups: list[float] = []
    seconds = [0.0]

    def find() -> Stack:
        lookups.append(seconds[0])
        return replace(world.stack, outputs={})

    client = new_app(Reader(find, clock=lambda: seconds[0]), stack_name="s").test_client()
    for seconds[0] in (0.0, 3.0, 6.0, 16.0, 19.0, 32.0):
        assert client.get("/").status_code == 503

    assert lookups == [0.0, 19.0]


def test_the_static_files_are_small_and_all_are_used() -> None:
    folder = Path(__file__).parents[4] / "cli" / "sampai_cli" / "console"
    sizes = {file.name: file.stat().st_size for file in (folder / "static").iterdir()}
    templates = "".join(file.read_text() for file in (folder / "templates").iterdir())

    assert [name for name in sizes if f"/static/{name}" not in templates] == []
    assert max(sizes.values()) < 16_000
