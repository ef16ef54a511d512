"""`python -m local.webhooks STAGE`: print the webhook addresses of a deployed stage. They contain tokens."""

import json
import sys
from collections.abc import Iterator
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from local.smoke.target import Target, TargetError, find
from sampai.adapters.document import BrokenDocumentError
from sampai.adapters.secret import parse_secret
from sampai.domain.webhook_token import webhook_token
from sampai.providers.registry import PROVIDERS, load

USAGE: Final = "usage: python -m local.webhooks STAGE (a stage of samconfig.toml, or local)"


def addresses(base_url: str, secret_token: str) -> Iterator[str]:
    """Yield the address of each provider and kind, under a token of the secret."""
    for provider in PROVIDERS:
        token = webhook_token(secret_token, provider)
        for api in load(provider):
            for kind in sorted(api.capabilities.webhooks):
                yield f"{base_url}/webhooks/{provider}/{kind}/{token}"


def read_addresses(target: Target) -> list[str]:
    """Return the addresses of a stack under the first token of its secret.

    Raise BrokenDocumentError if the secret has no usable token, and botocore's ClientError and BotoCoreError.
    """
    outputs = target.outputs
    stored = target.client("secretsmanager").get_secret_value(SecretId=outputs["ProviderSecretArn"])
    tokens = parse_secret(stored["SecretString"]).webhook_tokens
    name = outputs["SettingsParameterName"]
    settings = json.loads(target.client("ssm").get_parameter(Name=name)["Parameter"]["Value"])
    return list(addresses(settings.get("public_base_url") or outputs["WebhookBaseUrl"], tokens[0]))


def main(arguments: list[str]) -> int:
    """Print the addresses of the stage that the argument names, one a line, and return the exit status."""
    if len(arguments) != 1:
        print(USAGE, file=sys.stderr)
        return 2
    try:
        print("\n".join(read_addresses(find(arguments[0]))))
    except (TargetError, BrokenDocumentError, BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
