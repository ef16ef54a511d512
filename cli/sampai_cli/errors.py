"""Errors as one sentence: the cause, and the next step."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from botocore import exceptions as botocore_errors
from botocore.exceptions import BotoCoreError, ClientError

from sampai.services.ports.runtime import UnavailableError

PERMISSIONS_PAGE: Final = "docs/reference/cli.md"

TRACEBACK: Final = "SAMPAI_TRACEBACK"
"""The environment variable that shows a bug with its traceback."""

_EXPIRED: Final = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"})
_UNKNOWN_CALLER: Final = frozenset(
    {"InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "InvalidSignatureException"}
)
_LOGIN: Final = "Log in again, for example with `aws sso login`, and repeat the command."
_ACTION: Final = re.compile(r"perform: ([a-z0-9-]+:[A-Za-z]+)")
_NO_STACK: Final = re.compile(r"Stack with id (\S+) does not exist")


class CliError(Exception):
    """A command cannot do its work. The text names the cause and the next step, and is all that a person sees."""

    def __init__(self, text: str, *, status: int = 1) -> None:
        """`status` is the exit status: 2 if the input is wrong, 1 for everything else."""
        super().__init__(text)
        self.status = status


class InputError(CliError):
    """The command line or a file of the caller is wrong. Nothing was done."""

    def __init__(self, text: str) -> None:
        super().__init__(text, status=2)


EXPECTED: Final = (CliError, ClientError, BotoCoreError, UnavailableError, OSError)
"""The errors that `explain` makes a sentence of. Any other is a bug."""


def read_text(file: Path) -> str:
    """Return the text of a file in UTF-8, with or without a byte order mark. Raises InputError, and OSError."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{file.name} is not in UTF-8. Save it in UTF-8.") from None


def explain(error: Exception, *, command: str) -> CliError:
    """Return an error of a command as a CliError."""
    if isinstance(error, CliError):
        return error
    for cause in _causes(error):
        if isinstance(cause, ClientError):
            return CliError(_explain_refusal(cause, command))
        if isinstance(cause, BotoCoreError):
            return CliError(_explain_failure(cause))
    if isinstance(error, OSError):
        return InputError(f"{error.filename or 'The file'}: {error.strerror or 'cannot be read'}.")
    return CliError(f"{error}. Run the command again.")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and its causes: the adapters of the layer turn an error of AWS into an UnavailableError."""
    while error is not None:
        yield error
        error = error.__context__ if isinstance(error, UnavailableError) else None


def _explain_refusal(error: ClientError, command: str) -> str:
    code, message = error.response["Error"].get("Code", "error"), error.response["Error"].get("Message", "")
    if code in _EXPIRED:
        return f"Your AWS session has expired. {_LOGIN}"
    if code in _UNKNOWN_CALLER:
        return f"AWS does not accept your credentials ({code}). {_LOGIN}"
    if code in _DENIED:
        found = _ACTION.search(message)
        action = found[1] if found else error.operation_name
        return (
            f"You are not allowed to call {action}. "
            f"{PERMISSIONS_PAGE} lists the permissions that `sampai {command}` needs."
        )
    if found := _NO_STACK.search(message):
        return (
            f"There is no stack {found[1]} in this account and region. "
            "Check --stack, AWS_REGION and AWS_PROFILE; `aws cloudformation list-stacks` lists the stacks."
        )
    return f"AWS refused {error.operation_name}: {code}. Run the command again; if it stays, check the stack."


def _explain_failure(error: BotoCoreError) -> str:
    match error:
        case botocore_errors.NoCredentialsError() | botocore_errors.PartialCredentialsError():
            return "No AWS credentials found. Log in, or set AWS_PROFILE, and repeat the command."
        case botocore_errors.NoRegionError():
            return "No AWS region. Set AWS_REGION, and repeat the command."
        case botocore_errors.ProfileNotFound():
            return f"{error}. Set AWS_PROFILE to a profile of your AWS configuration."
        case (
            botocore_errors.UnauthorizedSSOTokenError()
            | botocore_errors.SSOError()
            | botocore_errors.TokenRetrievalError()
        ):
            return f"Your AWS session has expired. {_LOGIN}"
        case botocore_errors.HTTPClientError() | botocore_errors.ConnectionError():
            return (
                f"AWS does not answer ({type(error).__name__}). Check your connection; "
                "for the local stack, `make up` starts it again after `make down`."
            )
    return f"AWS cannot be called ({type(error).__name__}). Check your AWS configuration."
