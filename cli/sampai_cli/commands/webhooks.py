"""`sampai webhooks`: the addresses that vendors call."""

import urllib.request
from collections.abc import Iterator
from typing import Final
from urllib.error import HTTPError, URLError

import typer

from sampai.contract.settings import Settings
from sampai.domain.webhook_token import webhook_token
from sampai.providers.registry import load
from sampai_cli.configuration import read_secret, read_settings
from sampai_cli.errors import CliError
from sampai_cli.run import Run, command

TIMEOUT_SECONDS: Final = 10
_VERDICTS: Final = {
    400: "reachable, and the token is valid",
    404: "the token, the provider or the path is wrong",
    429: "throttled: raise WebhookRateLimit",
    503: "the store does not answer",
}


def addresses(settings: Settings, *, base_url: str, secret_token: str) -> Iterator[str]:
    """Yield the address of each provider of the settings and of each kind, under a token of the secret."""
    for name, provider in settings.providers.items():
        token = webhook_token(secret_token, name)
        for api in load(provider.type):
            for kind in sorted(api.capabilities.webhooks):
                yield f"{settings.public_base_url or base_url}/webhooks/{name}/{kind}/{token}"


def read_addresses(run: Run) -> list[str]:
    """Return the addresses of a stack under the first token of its secret. Raises CliError."""
    token = read_secret(run).webhook_tokens[0]
    return list(addresses(read_settings(run), base_url=run.stack.output("WebhookBaseUrl"), secret_token=token))


def check(address: str, *, is_local: bool) -> int:
    """Call an address without a report, and return the HTTP status: 400 shows that the token is valid.

    Raises OSError if nothing answers.
    """
    proxies = [urllib.request.ProxyHandler({})] if is_local else []
    try:
        with urllib.request.build_opener(*proxies).open(address, timeout=TIMEOUT_SECONDS) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(help="The addresses that vendors call.", no_args_is_help=True)
    app.add_typer(group, name="webhooks")
    permissions = ("secretsmanager:GetSecretValue on ProviderSecret", "ssm:GetParameter on the settings")

    @command(group, *permissions)
    def urls(run: Run) -> None:
        """Print the addresses to register at the vendors, one on a line. They contain tokens: keep them secret."""
        found = read_addresses(run)
        if run.as_json:
            run.print_json(found)
            return
        for address in found:
            run.write(address)

    @command(group, *permissions, name="check")
    def check_all(run: Run) -> None:
        """Call each address without a report, to see whether it is reachable with its token.

        Nothing is stored. The metric WebhookMalformed counts one for each address.
        """
        rows = []
        for address in read_addresses(run):
            path = address.rpartition("/")[0].partition("/webhooks/")[2]
            try:
                status = check(address, is_local=run.stack.is_local)
                result = _VERDICTS.get(status, "an unexpected answer")
            except URLError as error:
                status, result = None, f"not reachable: {error.reason}"
            rows.append({"address": path, "http": status, "result": result})
        run.show(rows, "address", "http", "result")
        if wrong := [row["address"] for row in rows if row["http"] != 400]:
            raise CliError(
                f"{len(wrong)} of {len(rows)} addresses do not work: {', '.join(map(str, wrong))}. "
                "docs/how-to/receive-webhooks.md tells what to check."
            )
