"""`python -m local.webhooks STAGE`: print the webhook addresses of a deployed stage. They contain tokens."""

import sys
from collections.abc import Iterator
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from local.smoke.target import Target, TargetError, find
from sampai.adapters.document import BrokenDocumentError
from sampai.adapters.secret import parse_secret
from sampai.contract.settings import BrokenSettingsError, Settings, parse_settings
from sampai.domain.webhook_token import webhook_token
from sampai.providers.registry import load

USAGE: Final = "usage: python -m local.webhooks STAGE (a stage of samconfig.toml, or local)"


def addresses(settings: Settings, *, base_url: str, secret_token: str) -> Iterator[str]:
    """Yield the address of each provider of the settings and of each kind, under a token of the secret."""
    for name, provider in settings.providers.items():
        token = webhook_token(secret_token, name)
        for api in load(provider.type):
            for kind in sorted(api.capabilities.webhooks):
                yield f"{settings.public_base_url or base_url}/webhooks/{name}/{kind}/{token}"


def read_addresses(target: Target) -> list[str]:
    """Return the addresses of a stack under the first token of its secret.

    Raise BrokenDocumentError if the secret has no usable token, BrokenSettingsError, and botocore's ClientError and
    BotoCoreError.
    """
    outputs = target.outputs
    stored = target.client("secretsmanager").get_secret_value(SecretId=outputs["ProviderSecretArn"])
    tokens = parse_secret(stored["SecretString"]).webhook_tokens
    name = outputs["SettingsParameterName"]
    settings = parse_settings(target.client("ssm").get_parameter(Name=name)["Parameter"]["Value"])
    return list(addresses(settings, base_url=outputs["WebhookBaseUrl"], secret_token=tokens[0]))


def main(arguments: list[str]) -> int:
    """Print the addresses of the stage that the argument names, one a line, and return the exit status."""
    if len(arguments) != 1:
        print(USAGE, file=sys.stderr)
        return 2
    try:
        print("\n".join(read_addresses(find(arguments[0]))))
    except (TargetError, BrokenDocumentError, BrokenSettingsError, BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
