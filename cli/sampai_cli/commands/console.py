"""`sampai console`: the stack as pages in a browser."""

import webbrowser
from contextlib import suppress
from typing import Annotated

import typer

from sampai_cli.run import Run, command


def add_to(app: typer.Typer) -> None:
    @command(
        app,
        "dynamodb:Scan on MessagesTable and its index due",
        "dynamodb:GetItem, dynamodb:BatchGetItem on MessagesTable",
        "dynamodb:Query on AttemptsTable (optional: the vendors' words)",
        "sqs:ReceiveMessage, sqs:ChangeMessageVisibility on DeadLetterQueue (optional: the dead letters)",
    )
    def console(
        run: Run,
        port: Annotated[int, typer.Option(min=0, max=65_535, help="The port on 127.0.0.1. 0: a free one.")] = 0,
        open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in a browser.")] = True,
        max_units: Annotated[
            int, typer.Option(min=1, help="Read the table up to this many read units of DynamoDB at a time.")
        ] = 10_000,
    ) -> None:
        """Show messages, stories, charts and dead letters as pages, until Ctrl-C. The pages change nothing.

        Only this computer reaches them, with your credentials: everybody with an account on it can read them.
        The table of messages is read again and again while a page is open, for $0.10 per hour at most.
        """
        # Here, because the other commands start faster without flask.
        from sampai_cli.console.app import new_app
        from sampai_cli.console.reader import Reader
        from sampai_cli.console.server import new_server

        name = run.stack.name
        run.stack.output("MessagesTableName")
        server = new_server(new_app(Reader(run.find, max_units=max_units), stack_name=name), port=port)
        address = f"http://{server.host}:{server.port}/"
        if run.as_json:
            run.print_line({"address": address})
        else:
            run.say(f"The console of {name} is at {address} until Ctrl-C.")
        if open_browser:
            webbrowser.open(address)
        with server, suppress(KeyboardInterrupt):
            server.serve_forever()
