"""The program: all commands under one name."""

import os
import signal
import sys
from importlib import import_module
from typing import Final

import typer

from sampai_cli.errors import TRACEBACK
from sampai_cli.run import Globals, JsonOption, StackOption

MODULES: Final = """
    env send story listing tail report dashboard dlq replay settings secret providers webhooks consent erase console
""".split()
"""The modules of commands, in the order of the help."""

app: Final = typer.Typer(
    name="sampai",
    help="Operate a stack of Sampai, and send messages through it.",
    no_args_is_help=True,
    add_completion=False,
    # A traceback could show a text or a number of the command's variables.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _options(context: typer.Context, stack: StackOption = None, as_json: JsonOption = False) -> None:
    given = context.ensure_object(Globals)
    given.stack, given.as_json = stack, as_json


for module in MODULES:
    import_module(f"sampai_cli.commands.{module}").add_to(app)


def main() -> None:
    """Run the program with the arguments of the process."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that temporary queues and rules are deleted
    try:
        app()
    except Exception as error:
        if TRACEBACK in os.environ:
            raise
        # The text of an unexpected error may have a number or a text in it.
        print(f"A bug of the tool ({type(error).__name__}). {TRACEBACK}=1 shows where; report it.", file=sys.stderr)
        sys.exit(1)
