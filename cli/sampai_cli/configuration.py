"""The settings and the secret of a stack, as an operator changes them."""

import json
from collections.abc import Mapping
from typing import Any, Final

from botocore.exceptions import ClientError
from pydantic import ValidationError

from sampai.adapters.document import BrokenDocumentError
from sampai.adapters.secret import parse_secret
from sampai.contract.settings import BrokenSettingsError, Settings, parse_settings
from sampai.services.ports.configuration import Secret
from sampai_cli.errors import CliError, InputError
from sampai_cli.run import Run

STANDARD_BYTES: Final = 4096
"""The most that a parameter of the standard tier holds."""


def read_document(run: Run, *, version: int | None = None) -> str:
    """Return the stored settings, `{}` if there are none. Raises CliError for a version that does not exist."""
    name = run.stack.output("SettingsParameterName")
    try:
        parameter = run.client("ssm").get_parameter(Name=name if version is None else f"{name}:{version}")["Parameter"]
    except ClientError as error:
        code = error.response["Error"].get("Code")
        if code == "ParameterNotFound" and version is None:
            return "{}"
        if code in ("ParameterVersionNotFound", "ParameterNotFound"):
            raise CliError(f"There is no version {version}. `sampai settings history` lists the versions.") from None
        raise
    return str(parameter["Value"])


def write_document(run: Run, document: str) -> int:
    """Store settings that were checked before, and return the version."""
    tier = {"Tier": "Advanced"} if len(document.encode()) > STANDARD_BYTES else {}
    answer = run.client("ssm").put_parameter(
        Name=run.stack.output("SettingsParameterName"), Value=document, Type="String", Overwrite=True, **tier
    )
    return int(answer["Version"])


def check_settings(document: str, *, origin: str) -> Settings:
    """Return the settings in a document. Raises InputError, which names the fields."""
    try:
        return parse_settings(document)
    except BrokenSettingsError as error:
        raise InputError(f"{origin} is broken: {_explain(error)}. Nothing was changed.") from None


def read_settings(run: Run) -> Settings:
    """Return the settings in force. Raises CliError if the stored document is broken."""
    try:
        return parse_settings(read_document(run))
    except BrokenSettingsError as error:
        raise CliError(
            f"The stored settings are broken, and the last valid ones are in force: {_explain(error)}. "
            "Correct them: sampai settings set FILE."
        ) from None


def read_raw_secret(run: Run) -> str:
    """Return the string of the provider secret."""
    answer = run.client("secretsmanager").get_secret_value(SecretId=run.stack.output("ProviderSecretArn"))
    return str(answer.get("SecretString", ""))


def read_secret(run: Run) -> Secret:
    """Return the provider secret. Raises CliError, which names the field, if it is broken."""
    try:
        return parse_secret(read_raw_secret(run))
    except BrokenDocumentError as error:
        raise CliError(f"The secret is broken: {error}. docs/how-to/rotate-secrets.md shows how to put one.") from None


def changes(before: Mapping[str, Any], after: Mapping[str, Any], path: str = "") -> list[dict[str, Any]]:
    """Return the fields in which two documents differ, each with its path and both values; None: absent."""
    found: list[dict[str, Any]] = []
    for name in dict.fromkeys([*before, *after]):
        old, new, where = before.get(name), after.get(name), f"{path}{name}"
        if isinstance(old, dict) and isinstance(new, dict):
            found += changes(old, new, f"{where}.")
        elif old != new:
            found.append({"field": where, "before": old, "after": new})
    return found


def load(document: str) -> dict[str, Any]:
    """Return a document as Python's own, `{}` if it is none, for a comparison."""
    try:
        found = json.loads(document)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _explain(error: BrokenSettingsError) -> str:
    """Return the fields and rules on one line."""
    cause = error.__context__
    if isinstance(cause, ValidationError):
        found = cause.errors(include_url=False, include_context=False, include_input=False)
        return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in found)
    if isinstance(cause, json.JSONDecodeError):
        return f"not JSON at line {cause.lineno}, column {cause.colno}: {cause.msg}"
    return str(error)
