"""A phone number or an e-mail address on the command line. No output has all of it."""

from typing import Annotated

import typer

from sampai.domain.email_address import is_address, normalize_address
from sampai.domain.phone import E164, has_trunk_zero
from sampai_cli.errors import InputError
from sampai_cli.run import Run

NumberArgument = Annotated[
    str | None,
    typer.Argument(
        envvar="NUMBER",
        help="E.164 number with +, or an e-mail address. Without it the command asks, "
        "so that it is not in the history of your shell.",
    ),
]


def recipient_of(run: Run, given: str | None) -> str:
    """Return the number or address as the tables have it. Ask for it if it was not given. Raises InputError."""
    try:
        text = given or run.err.input("Number or e-mail address: ").strip()
    except EOFError:
        raise InputError("No number was given.") from None
    if is_address(text):
        return normalize_address(text)
    if E164.fullmatch(text) is None or has_trunk_zero(text):
        raise InputError(
            "The number must be in E.164 (+, country code, number without a leading 0), or an e-mail address."
        )
    return text
