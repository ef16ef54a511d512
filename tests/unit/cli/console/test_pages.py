"""The pages show messages, stories, charts and dead letters, as the commands print them."""

import re
from collections.abc import Callable, Iterable

from sampai.adapters.items import to_item
from sampai.domain.status import Source, Status
from sampai_cli.stack import Stack
from tests.fakes import START
from tests.harness.stories import DELIVERED, SCRIPT, message
from tests.unit.cli.conftest import World
from tests.unit.cli.console.conftest import browser, visible

Page = Callable[[str], list[str]]

ROWS = [
    "undelivered-1 | undelivered unreachable | smsnoc | sms | 1 | 2026-11-21 09:58:25 | 2026-11-21 09:59:05",
    "canceled-1 | canceled | – | sms | 0 | 2026-11-21 09:58:20 | 2026-11-21 09:58:50",
    "unknown-1 | unknown | smsnoc | sms | 1 | 2026-11-21 09:58:15 | 2026-11-21 09:58:25",
    "whatsapp-1 | read | nomsa | whatsapp | 1 | 2026-11-21 09:58:00 | 2026-11-21 09:58:20",
    "failover-1 | accepted | nusasms | sms | 2 | 2026-11-21 09:58:10 | 2026-11-21 09:58:12",
    "delivered-1 | delivered | nomsa | sms | 1 | 2026-11-21 09:58:00 | 2026-11-21 09:58:08",
    "refused-1 | failed invalid_recipient | smspoh | sms | 1 | 2026-11-21 09:58:05 | 2026-11-21 09:58:05",
]


def rows_of(lines: list[str]) -> list[str]:
    return [line for line in lines if line.count(" | ") == 6 and not line.startswith("Message |")]


def test_the_first_page_lists_the_messages_with_the_latest_change_first(page: Page) -> None:
    lines = page("/")

    assert lines[-9:] == [
        "7 messages, the latest change first",
        "Message | Status | Provider | Channel | Attempt | Created | Changed",
        *ROWS,
    ]


FILTERS: list[tuple[str, Iterable[int]]] = [
    ("status=open", [2, 4]),
    ("status=delivered", [5]),
    ("provider=smsnoc", [0, 2]),
    ("since=2026-11-21T09:58:30Z", [0, 1]),
    ("since=70s", [0, 1]),
    ("status=open&provider=nusasms", [4]),
    ("status=&provider=&since=&id=", range(7)),
]


def test_a_list_is_filtered_by_status_provider_and_time(page: Page) -> None:
    for query, expected in FILTERS:
        assert rows_of(page(f"/?{query}")) == [ROWS[index] for index in expected]


def test_an_empty_list_says_so(page: Page, world: World) -> None:
    assert page("/?status=scheduled")[-1] == "No message passes the filter."


def test_a_long_list_has_pages(world: World) -> None:
    world.put(*(message(f"m-{number:02}", DELIVERED, began=START) for number in range(60)))
    client = browser(world.stack)

    first, second = visible(client.get("/").text), visible(client.get("/?page=2").text)

    assert (len(rows_of(first)), first[-1]) == (50, "Page 1 of 2 Older →")
    assert (len(rows_of(second)), second[-1]) == (10, "← Newer Page 2 of 2")
    assert visible(client.get("/?page=99").text) == second
    assert visible(client.get("/?page=-1").text) == visible(client.get("/?page=x").text) == first


def test_an_id_leads_to_its_story(stack: Stack) -> None:
    answer = browser(stack).get("/?id=refused-1&status=open")

    assert (answer.status_code, answer.location) == (303, "/messages/refused-1")


STORIES = {
    "delivered-1": [
        "delivered",
        "Timeline",
        *("sending by send event 1", "2026-11-21 09:58:00.000"),
        *("accepted by send event 2", "2026-11-21 09:58:00.400 · after 0.4 s"),
        *("sent by webhook event 3", "2026-11-21 09:58:03.000 · after 3 s"),
        *("delivered by webhook event 4", "2026-11-21 09:58:08.000 · after 8 s"),
    ],
    "refused-1": [
        "failed invalid_recipient · vendor's code 34",
        "recipient: check it with its owner",
        "Timeline",
        *("sending by send event 1", "2026-11-21 09:58:05.000"),
        "Attempt 1 at smspoh: not taken",
        "Call | 2026-11-21 09:58:05.050, 0.5 s",
        "HTTP status | 400",
        "Vendor's code | 34",
        "Reason | invalid_recipient",
        "The vendor's words:",
        f'{{"message": "Invalid number […] {SCRIPT}"}}',
        *("failed by send event 2", "2026-11-21 09:58:05.600 · after 0.6 s"),
    ],
    "failover-1": [
        "accepted",
        "Timeline",
        *("sending by send event 1", "2026-11-21 09:58:10.000"),
        "Attempt 1 at smspoh: not taken",
        "Call | 2026-11-21 09:58:10.050, 0.4 s",
        "HTTP status | 429",
        "Reason | rate_limited",
        "Detail | the vendor throttles: send more slowly",
        "The vendor's words:",
        "Too Many Requests",
        *("queued by send event 2", "2026-11-21 09:58:10.500 · after 0.5 s"),
        *("sending by send event 3", "2026-11-21 09:58:12.000 · after 2 s"),
        *("accepted by send event 4", "2026-11-21 09:58:12.300 · after 2.3 s"),
    ],
    "unknown-1": [
        "unknown",
        "Timeline",
        *("sending by send event 1", "2026-11-21 09:58:15.000"),
        "Attempt 1 at smsnoc: unknown",
        "Call | 2026-11-21 09:58:15.100, 9.9 s",
        "HTTP status | none",
        "Detail | timed out",
        *("unknown by send event 2", "2026-11-21 09:58:25.000 · after 10 s"),
    ],
    "canceled-1": [
        "canceled",
        "Timeline",
        *("scheduled by send event 1", "2026-11-21 09:58:20.000"),
        *("canceled by caller event 2", "2026-11-21 09:58:50.000 · after 30 s"),
    ],
}


def test_a_story_is_a_timeline_of_statuses_and_attempts(page: Page) -> None:
    for message_id, expected in STORIES.items():
        lines = page(f"/messages/{message_id}")

        assert lines[:2] == ["← Messages", message_id]
        assert lines[2 : lines.index("Facts")] == expected


def test_a_story_has_the_facts_without_number_text_and_metadata(page: Page) -> None:
    lines = page("/messages/delivered-1")

    assert lines[lines.index("Facts") :] == [
        "Facts",
        "channel | sms",
        "category | otp",
        "recipient | +855*****510",
        "provider | nomsa",
        "attempt | 1",
        "not found count | 0",
        "created at | 2026-11-21 09:58:00.000",
        "updated at | 2026-11-21 09:58:08.000",
        "metadata | order (names only)",
    ]


def test_the_story_of_a_message_that_only_a_newer_release_can_read_has_no_numbers_of_events(world: World) -> None:
    item = to_item(message("new-1", DELIVERED[:2], began=START)) | {"status": {"S": "teleported"}}
    world.client("dynamodb").put_item(TableName="MessagesTable", Item=item)

    lines = visible(browser(world.stack).get("/messages/new-1").text)

    assert lines[2:6] == ["teleported", "Timeline", "sending by send", "2026-11-21 10:00:00.000"]


def test_a_long_history_says_how_many_changes_are_not_stored(world: World) -> None:
    steps = [(float(second), status, Source.SEND) for second, status in enumerate([Status.SENDING, Status.QUEUED] * 25)]
    world.put(message("long-1", steps, began=START, sequence=60))

    lines = visible(browser(world.stack).get("/messages/long-1").text)

    where = lines.index("10 changes are not stored.")
    assert (lines[where - 2], lines[where + 1]) == ("sending by send event 25", "queued by send event 36")


def test_the_charts_of_a_vendor_have_sums_latencies_and_outcomes(page: Page) -> None:
    lines = page("/charts?since=1h")

    where = lines.index("nomsa")
    assert lines[where : lines.index("smsnoc")] == [
        "nomsa",
        "2 requested 2 accepted 2 delivered 100.0 % of those that ended",
        "Throughput accepted delivered failed",
        "2026-11-21 09:00:00 at most 2 in 2 min now",
        "Latency from the median to the 95th percentile",
        *("accepted after 0.4 s – 0.4 s", "delivered after 7.6 s – 7.6 s"),
        "0.01 s lines at 1 s, 1 min, 1 h 1 d",
        *("Outcomes", "delivered 2"),
        "Numbers by category",
        "Category | Requested | Accepted | Delivered | Undelivered | Failed | Unconfirmed | Canceled | Open | "
        "Accepted after | 95 % | Delivered after | 95 %",
        "otp | 1 | 1 | 1 | 0 | 0 | 0 | 0 | 0 | 0.4 s | 0.4 s | 7.6 s | 7.6 s",
        "transactional | 1 | 1 | 1 | 0 | 0 | 0 | 0 | 0 | 0.4 s | 0.4 s | 7.6 s | 7.6 s",
    ]


def test_the_charts_of_a_quiet_time_say_so(world: World) -> None:
    assert visible(browser(world.stack).get("/charts").text)[-1] == (
        "Nothing happened in this time, and no message is open."
    )


def test_dead_letters_are_shown_without_numbers_and_texts_and_stay_in_the_queue(stack: Stack) -> None:
    lines, again = (visible(browser(stack).get("/dead-letters").text) for _ in range(2))

    shown = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|[0-9a-f]{8}-[0-9a-f-]{27}", "…", "\n".join(lines[2:]))
    assert sorted(shown.split("\n")) == sorted(LETTERS)
    assert sorted(again) == sorted(lines)


LETTERS = [
    *("Sent | …", "SQS id | …", "Body, without numbers and texts") * 4,
    "send dead-1",
    '{ "message_id": "dead-1", "recipient": "+855*****510", "content": { "type": "text", "text": "(17 characters)" }, '
    '"category": "otp", "metadata": { "…": "(9 characters)" } }',
    "opt-in",
    "Remark | an opt-in without `at`: put it again with its time: sampai opt-in NUMBER --at TIME",
    '{ "opt_in": "+855*****510" }',
    "cancel refused-1",
    '{ "cancel": "refused-1" }',
    "unreadable",
    "Remark | is invalid, and will end as failed",
    '"no JSON object, 34 characters"',
    "sampai dlq redrive puts them back on their queues.",
]


def test_the_words_of_a_vendor_are_never_run(stack: Stack) -> None:
    answer = browser(stack).get("/messages/refused-1")

    assert SCRIPT not in answer.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in answer.text
    assert [tag for tag in re.findall(r"<script[^>]*>", answer.text)] == ['<script src="/static/console.js" defer>']
