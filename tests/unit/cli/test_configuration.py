"""The settings are checked before they are stored; the secret is shown by the names of its fields."""

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import World


def store(world: World, *documents: object) -> None:
    for document in documents:
        text = document if isinstance(document, str) else json.dumps(document)
        name = world.stack.output("SettingsParameterName")
        world.client("ssm").put_parameter(Name=name, Value=text, Type="String", Overwrite=True)


def stored(world: World) -> Any:
    return json.loads(world("settings", "show").stdout)


def write(folder: Path, document: object) -> str:
    file = folder / "new.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    return str(file)


# --- settings ---------------------------------------------------------------------------------------------------------


def test_absent_settings_are_shown_as_an_empty_document(world: World) -> None:
    result = world("settings", "show")

    assert (result.exit_code, result.stdout) == (0, "{}\n")
    assert result.stderr == "Nothing is set: the defaults apply. See them: sampai settings show --effective.\n"


def test_settings_are_checked_shown_and_stored(world: World, tmp_path: Path) -> None:
    store(world, {"report_horizon_hours": 24, "limits": {"per_day": 10}})
    file = write(tmp_path, {"report_horizon_hours": 48, "limits": {"per_day": 10}, "sending_enabled": False})

    result = world("settings", "set", file, "--yes")

    assert result.exit_code == 0
    changed = [line.split("│")[1:4] for line in result.stdout.splitlines() if line.startswith("│")]
    assert [[cell.strip() for cell in line] for line in changed] == [
        ["report_horizon_hours", "24", "48"],
        ["sending_enabled", "–", "False"],
    ]
    assert "Stored as version 2, in force within a minute." in result.stdout
    assert stored(world) == json.loads(Path(file).read_text())
    assert world("settings", "set", file).stdout == "No difference: nothing was stored.\n"


@pytest.mark.parametrize("answer", ["", "n\n"])
def test_nothing_is_stored_without_a_yes(answer: str, world: World, tmp_path: Path) -> None:
    result = world("settings", "set", write(tmp_path, {"report_horizon_hours": 24}), input=answer)

    assert (result.exit_code, stored(world)) == (1, {})
    assert "Store these settings in sampai-test?" in result.stderr


BROKEN = [
    ({"limits": {"per_day": 0}}, "limits.per_day: Input should be greater than or equal to 1"),
    ({"providers": {"fax": {}}}, "providers.fax.type: must be one of nomsa, smsnoc, smspoh, nusasms"),
    ({"routes": {"sms": {"KH": ["fax"]}}}, "routes.sms.KH: unknown provider: fax"),
    ('{"limits": ', "not JSON at line 1, column 12: Expecting value"),
    ({"speed": 1, "limits": 2}, "limits: Input should be a valid dictionary or instance of Limits; speed: Extra"),
]


@pytest.mark.parametrize("command", ["check", "set", "diff"])
@pytest.mark.parametrize(("document", "said"), BROKEN)
def test_a_broken_document_is_one_sentence_and_is_not_stored(
    command: str, document: object, said: str, world: World, tmp_path: Path
) -> None:
    result = world("settings", command, write(tmp_path, document))

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"new.json is broken: {said}")
    assert result.stderr.endswith("Nothing was changed.\n")
    assert stored(world) == {}


def test_a_valid_file_is_checked_without_a_stack(tmp_path: Path, world: World) -> None:
    assert world("settings", "check", write(tmp_path, {})).stdout == "new.json is valid.\n"


def test_diff_names_each_field(world: World, tmp_path: Path) -> None:
    store(world, {"limits": {"per_day": 10}})

    result = world("settings", "diff", write(tmp_path, {"limits": {"per_day": 11}}), "--json")

    assert json.loads(result.stdout) == [{"field": "limits.per_day", "before": 10, "after": 11}]


def test_history_names_the_fields_that_each_version_changed_and_an_old_version_is_shown(world: World) -> None:
    store(world, {"report_horizon_hours": 24}, "{broken", {"limits": {"per_day": 11}})

    rows = json.loads(world("settings", "history", "--json").stdout)

    assert [(row["version"], row["changed"]) for row in rows] == [
        (3, "limits"),
        (2, "report_horizon_hours"),
        (1, "report_horizon_hours"),
    ]
    assert json.loads(world("settings", "show", "--version", "1").stdout) == {"report_horizon_hours": 24}
    assert world("settings", "show", "--version", "2").stdout == "{broken\n"
    assert world("settings", "show", "--version", "9").stderr.startswith("There is no version 9.")


def test_effective_settings_can_be_stored(world: World, tmp_path: Path) -> None:
    store(world, {"quiet_hours": {"KH": {"from": "21:00", "to": "08:00"}}})

    shown = world("settings", "show", "--effective").stdout

    assert json.loads(shown)["quiet_hours"] == {"KH": {"from": "21:00", "to": "08:00", "timezones": None}}
    assert world("settings", "check", write(tmp_path, shown)).stdout == "new.json is valid.\n"


def test_effective_settings_have_the_defaults(world: World) -> None:
    store(world, {"report_horizon_hours": 24})

    shown = json.loads(world("settings", "show", "--effective").stdout)

    assert (shown["report_horizon_hours"], shown["sending_enabled"]) == (24, True)


def test_stop_and_start_change_one_field_once(world: World) -> None:
    store(world, {"report_horizon_hours": 24})

    stopped, again = world("stop").stdout, world("stop").stdout
    between = stored(world)
    started = world("start").stdout

    assert stopped == "Sending stops within a minute. Messages wait: `sampai start` sends them.\n"
    assert again == "Sending is stopped already.\n"
    assert between == {"report_horizon_hours": 24, "sending_enabled": False}
    assert started == "Sending starts within a minute; the waiting messages go out.\n"
    assert stored(world) == {"report_horizon_hours": 24, "sending_enabled": True}
    assert world("start").stdout == "Sending is on already.\n"


def test_a_broken_stored_document_is_not_overwritten_by_a_switch(world: World) -> None:
    store(world, "{broken")

    result = world("stop")

    assert (result.exit_code, result.stderr.startswith("The stored document is broken: not JSON at line 1")) == (
        1,
        True,
    )
    assert world("settings", "show").stdout == "{broken\n"


# --- secret and providers ---------------------------------------------------------------------------------------------


def keep(world: World, secret: object) -> None:
    arn = world.stack.output("ProviderSecretArn")
    world.client("secretsmanager").put_secret_value(SecretId=arn, SecretString=json.dumps(secret))


PRIVATE = ("not-a-key", "not-a-token", "not\nfit")
SECRET = {
    "webhook_tokens": [PRIVATE[1], "not-a-token-either"],
    "nomsa": {"api_key": PRIVATE[0]},
    "smspoh": {"api_key": PRIVATE[0], "api_secret": PRIVATE[2], "apikey": PRIVATE[0]},
    "smsnoc": {},
    "fax": {"key": PRIVATE[0]},
}


def test_secret_check_names_fields_and_never_values(world: World) -> None:
    keep(world, SECRET)

    result = world("secret", "check", "--json")

    rows = [(row["provider"], row["field"], row["state"]) for row in json.loads(result.stdout)]
    assert rows == [
        ("", "webhook_tokens", "2 valid; the first one is handed out"),
        ("nomsa", "api_key", "ok"),
        ("smsnoc", "api_token", "missing"),
        ("smspoh", "api_key", "ok"),
        ("smspoh", "api_secret", "not fit for a header"),
        ("smspoh", "apikey", "unknown field"),
        ("nusasms", "", "off: the secret does not name it"),
        ("fax", "", "unknown provider: not in the settings"),
    ]
    assert (result.exit_code, result.stderr) == (
        1,
        "Messages that need smsnoc.api_token, smspoh.api_secret wait. Correct the secret: "
        "docs/how-to/rotate-secrets.md.\n",
    )
    assert [private for private in PRIVATE if private in result.output] == []


CALLBACK_SECRET = f"whsec_{b64encode(b'not-a-secret-of-callbacks').decode()}"


@pytest.mark.parametrize(
    ("secrets", "state", "error"),
    [
        ([CALLBACK_SECRET] * 2, "2 valid; callbacks are signed with all", ""),
        (
            [CALLBACK_SECRET, "whsec_short"],
            "an entry is unfit, or there is none",
            "Callbacks wait. Correct callback_secrets: docs/how-to/receive-callbacks.md.\n",
        ),
    ],
    ids=["good", "unfit"],
)
def test_secret_check_tells_whether_callbacks_can_be_signed(
    world: World, secrets: list[str], state: str, error: str
) -> None:
    keep(world, {"webhook_tokens": [PRIVATE[1]], "callback_secrets": secrets})

    result = world("secret", "check", "--json")

    assert [r["state"] for r in json.loads(result.stdout) if r["field"] == "callback_secrets"] == [state]
    assert result.stderr == error
    assert [secret for secret in secrets if secret in result.output] == []


def test_a_secret_without_a_token_is_broken(world: World) -> None:
    keep(world, {"nomsa": {"api_key": PRIVATE[0]}})

    result = world("secret", "check")

    assert (result.exit_code, result.stderr.startswith("The secret is broken: webhook_tokens: must be")) == (1, True)


def test_providers_show_state_routes_outcomes_and_balances(world: World) -> None:
    keep(world, SECRET)
    store(world, {"providers": {"nusasms": {"enabled": False}}, "sending_enabled": False})
    metric: dict[str, Any] = {
        "MetricName": "SendAccepted",
        "Dimensions": [{"Name": "provider", "Value": "nomsa"}],
        "Value": 3,
    }
    account = [{"Name": "provider", "Value": "smsnoc"}, {"Name": "account", "Value": "sms"}]
    balance = {"MetricName": "Balance", "Dimensions": account, "Value": 12.5}
    opened = {"MetricName": "CircuitOpened", "Value": 2}
    data = [each | {"Timestamp": datetime.now(UTC) - timedelta(minutes=2)} for each in (metric, balance, opened)]
    world.client("cloudwatch").put_metric_data(Namespace="Sampai/sampai-test", MetricData=data)

    result = world("providers", "--json")

    rows = {row["provider"]: row for row in json.loads(result.stdout)}
    assert {name: row["state"] for name, row in rows.items()} == {
        "nomsa": "on",
        "smsnoc": "unusable: api_token",
        "smspoh": "unusable: api_secret",
        "nusasms": "off: disabled in the settings",
    }
    assert (rows["nomsa"]["accepted"], rows["nomsa"]["rejected"], rows["nomsa"]["balance"]) == (3, None, None)
    assert rows["nomsa"]["routes"].split(", ")[0] == "sms KH 1/1"
    assert rows["smsnoc"]["balance"] == "sms 12.5"
    assert "All sending is stopped" in result.stderr
    assert "Circuits opened 2 times" in result.stderr
