"""`sampai send` validates everything first, sends it once, and says which rows are wrong."""

import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import World

NUMBER = "+959777777010"
HELLO = {"type": "text", "text": "Hello, you"}


def write(folder: Path, text: str, name: str = "sale.csv") -> str:
    file = folder / name
    file.write_bytes(text.encode())
    return str(file)


def test_a_message_is_put_on_the_queue_and_its_story_is_the_next_step(world: World) -> None:
    result = world("send", "--to", NUMBER, "--text", "Hello, you", "--id", "first-1", "--category", "otp")

    assert (result.exit_code, result.stdout) == (
        0,
        "first-1 is on the queue. See its story: sampai story first-1 --follow\n",
    )
    request = {"message_id": "first-1", "recipient": NUMBER, "content": HELLO, "category": "otp"}
    assert (world.bodies("SendQueueUrl"), world.bodies("UrgentQueueUrl")) == ([request], [])


def test_a_message_without_an_id_gets_a_new_one_and_json_names_it(world: World) -> None:
    result = world("send", "--to", NUMBER, "--text", "Hello, you", "--urgent", "--json")

    (body,) = world.bodies("UrgentQueueUrl")
    assert json.loads(result.stdout) == {"queued": 1, "message_id": body["message_id"]}


@pytest.mark.parametrize("origin", ["file", "standard input"])
def test_a_whole_request_of_any_kind_is_sent(origin: str, world: World, tmp_path: Path) -> None:
    document = '{"cancel": "first-1"}'
    file = "-" if origin == "standard input" else write(tmp_path, document, "cancel.json")

    result = world("send", "--request", file, input=document)

    assert (result.exit_code, result.stdout) == (0, "The request is on the queue.\n")
    assert world.bodies("SendQueueUrl") == [{"cancel": "first-1"}]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Nothing to send: give --to and --text, or --request FILE, or --csv FILE."),
        (["--to", NUMBER], "Nothing to send: give --to and --text, or --request FILE, or --csv FILE."),
        (
            ["--to", "0777", "--text", "x"],
            "The request is invalid, and nothing was sent. recipient: must be exactly one E.164 number: + and 7 to 15 "
            "ASCII digits.",
        ),
        (["--csv", "a.csv", "--to", NUMBER], "--to does not go together with --csv. Nothing was sent."),
        (["--request", "a.json", "--text", "x"], "--text does not go together with --request. Nothing was sent."),
        (["--csv", "/nowhere/a.csv"], "/nowhere/a.csv: No such file or directory."),
        (["--request", "/nowhere/a.json"], "/nowhere/a.json: No such file or directory."),
    ],
)
def test_wrong_options_are_one_sentence_and_send_nothing(arguments: list[str], said: str, world: World) -> None:
    result = world("send", *arguments)

    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"{said}\n")
    assert world.bodies("SendQueueUrl") == []


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("{", "request.json is not JSON at line 1. Nothing was sent."),
        ("[]", "request.json is no JSON object. A request begins with {. Nothing was sent."),
        (
            '{"resume": "a", "attempt": 1}',
            "The request is invalid, and nothing was sent. body: a request of Sampai to itself.",
        ),
    ],
)
def test_a_file_that_is_no_request_is_refused(document: str, said: str, world: World, tmp_path: Path) -> None:
    result = world("send", "--request", write(tmp_path, document, "request.json"))

    assert (result.exit_code, result.stderr) == (2, f"{said}\n")


# --- CSV --------------------------------------------------------------------------------------------------------------


def test_rows_get_ids_from_file_and_row_and_a_second_run_sends_the_same_requests(world: World, tmp_path: Path) -> None:
    rows = "\n".join(f"+9597777{n:05d},Hello {n}" for n in range(23))
    file = write(tmp_path, f"recipient,text\n{rows}\n")

    first, second = world("send", "--csv", file), world("send", "--csv", file)

    assert first.stdout == second.stdout == "23 requests are on the queue, sale-2 to sale-24.\n"
    bodies = world.bodies("SendQueueUrl")
    assert len(bodies) == 46
    unique = {body["message_id"]: body for body in bodies}
    assert unique == {
        f"sale-{n + 2}": {
            "message_id": f"sale-{n + 2}",
            "recipient": f"+9597777{n:05d}",
            "content": {"type": "text", "text": f"Hello {n}"},
        }
        for n in range(23)
    }


def test_a_spreadsheet_with_semicolons_a_byte_order_mark_and_quotes_is_read(world: World, tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "\ufeffmessage_id;recipient;metadata.order;category\r\n"
        f'a-1;{NUMBER};"4711; 4712";promotional\r\n;;;\r\n;{NUMBER};;\r\n',
        "März sale.csv",
    )

    world("send", "--csv", file, "--text", "Hello, you", "--category", "otp")

    assert world.bodies("SendQueueUrl") == [
        {
            "message_id": "a-1",
            "recipient": NUMBER,
            "category": "promotional",
            "content": HELLO,
            "metadata": {"order": "4711; 4712"},
        },
        {"category": "otp", "recipient": NUMBER, "message_id": "M-rz-sale-4", "content": HELLO},
    ]


def test_every_bad_row_is_reported_before_the_first_one_is_sent(world: World, tmp_path: Path) -> None:
    file = write(
        tmp_path,
        f"message_id,recipient,text\na,{NUMBER},Hello\nb,0777,Hello\na,{NUMBER},Hello\nd,{NUMBER},\n",
    )

    result = world("send", "--csv", file)

    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "3 of 4 rows of sale.csv are wrong, and nothing was sent. Correct them, and repeat the command.",
        "row 3: recipient: must be exactly one E.164 number: + and 7 to 15 ASCII digits",
        "row 4: message_id: the same as in row 2",
        "row 5: content: required",
    ]
    assert world.bodies("SendQueueUrl") == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("recipient,phone\n", "sale.csv has an unknown column 'phone' in its header."),
        ("recipient,recipient\n", "sale.csv has a column twice in its header."),
        ("", "sale.csv has no rows below its header."),
        ("recipient,text\n", "sale.csv has no rows below its header."),
        (f"recipient,text\n{NUMBER},Hello, you\n", "Row 2 of sale.csv has 3 cells and the header 2."),
    ],
)
def test_a_file_in_the_wrong_shape_is_refused(text: str, said: str, world: World, tmp_path: Path) -> None:
    result = world("send", "--csv", write(tmp_path, text))

    assert (result.exit_code, result.stderr.startswith(said)) == (2, True)
    assert NUMBER not in result.stderr


@pytest.mark.parametrize("command", ["send --csv", "send --request", "settings check"])
def test_a_file_in_another_encoding_is_refused(command: str, world: World, tmp_path: Path) -> None:
    (tmp_path / "sale.csv").write_bytes(b"recipient,text\n+959777777010,caf\xe9\n")

    result = world(*command.split(), str(tmp_path / "sale.csv"))

    assert (result.exit_code, result.stderr) == (2, "sale.csv is not in UTF-8. Save it in UTF-8.\n")
