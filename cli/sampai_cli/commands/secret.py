"""`sampai secret check`: the fields of the secret, never a value."""

from collections.abc import Iterator, Mapping
from typing import Any

import typer

from sampai.contract.settings import Settings
from sampai.providers.registry import load
from sampai.services.ports.configuration import Secret
from sampai_cli.configuration import load as load_document
from sampai_cli.configuration import read_raw_secret, read_secret, read_settings
from sampai_cli.errors import CliError
from sampai_cli.run import Run, command

UNFIT = "not fit for a header"


def fields_of(raw: Mapping[str, Any], secret: Secret, settings: Settings) -> Iterator[dict[str, str]]:
    """Yield each field that a provider needs, and each that the secret has, with its state."""
    for name, provider in settings.providers.items():
        if name in raw:
            given = raw[name] if isinstance(raw[name], dict) else {}
            yield from _fields_of_provider(name, provider.type, given, secret.credentials.get(name, {}))
        else:
            yield _row(name, state="off: the secret does not name it")
    for name in raw.keys() - settings.providers.keys() - {"webhook_tokens", "callback_secrets"}:
        yield _row(name, state="unknown provider: not in the settings")


def _fields_of_provider(
    name: str, type_name: str, given: Mapping[str, Any], usable: Mapping[str, str]
) -> Iterator[dict[str, str]]:
    needed: dict[str, list[str]] = {}
    for api in load(type_name):
        for credential in sorted(api.capabilities.credentials):
            needed.setdefault(credential, []).append(api.capabilities.channel.value)
    for credential in dict.fromkeys([*needed, *given]):
        state = "ok" if credential in usable else UNFIT if credential in given else "missing"
        channels = ", ".join(needed.get(credential, []))
        yield _row(name, credential, channels, state=state if credential in needed else "unknown field")


def _state_of_callbacks(secret: Secret) -> str:
    keys = len(secret.callback_keys)
    return f"{keys} valid; callbacks are signed with all" if keys else "an entry is unfit, or there is none"


def _row(provider: str, field: str = "", channels: str = "", *, state: str) -> dict[str, str]:
    return {"provider": provider, "field": field, "channels": channels, "state": state}


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(help="The vendors' credentials.", no_args_is_help=True)
    app.add_typer(group, name="secret")

    @command(group, "secretsmanager:GetSecretValue on ProviderSecret", "ssm:GetParameter on the settings", name="check")
    def check(run: Run) -> None:
        """Show which credentials are there and usable. Names fields, never values."""
        secret, settings = read_secret(run), read_settings(run)
        raw = load_document(read_raw_secret(run))
        rows = list(fields_of(raw, secret, settings))
        tokens = f"{len(secret.webhook_tokens)} valid; the first one is handed out"
        rows.insert(0, _row("", "webhook_tokens", state=tokens))
        if "callback_secrets" in raw:
            rows.insert(1, _row("", "callback_secrets", state=_state_of_callbacks(secret)))
        run.show(rows, "provider", "field", "channels", "state")
        if "callback_secrets" in raw and not secret.callback_keys:
            raise CliError("Callbacks wait. Correct callback_secrets: docs/how-to/receive-callbacks.md.")
        if wrong := [f"{row['provider']}.{row['field']}" for row in rows if row["state"] in ("missing", UNFIT)]:
            raise CliError(
                f"Messages that need {', '.join(wrong)} wait. Correct the secret: docs/how-to/rotate-secrets.md."
            )
